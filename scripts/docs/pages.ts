import { createProgram } from '../../packages/cli/src/program.ts';
import { renderAnalysis } from './analysis.ts';
import { renderCli } from './cli.ts';
import { renderErrors } from './errors.ts';
import { renderMetrics } from './metrics.ts';
import { renderSettings } from './settings.ts';
import { renderStricter } from './stricter.ts';
import { renderSupportedFields } from './supported-fields.ts';

/** The generated pages under docs/reference/, by file name. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'supported-fields.md': renderSupportedFields,
  'stricter.md': renderStricter,
  'errors.md': renderErrors,
  'analysis.md': renderAnalysis,
  'settings.md': renderSettings,
  'metrics.md': renderMetrics,
  'cli.md': () => renderCli(createProgram()),
};

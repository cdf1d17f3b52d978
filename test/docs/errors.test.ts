import { describe, expect, it } from 'vitest';
import { MESSAGE_TYPES } from '../../packages/istio-api/src/index.ts';
import { DETAILS, FINDINGS, MESH_ERRORS, REQUEST_ERRORS, WARNINGS } from '../../scripts/docs/error-codes.ts';
import { OTHER_VARIABLES, SETTINGS } from '../../scripts/docs/setting-rows.ts';
import { packageSources } from './sources.ts';

const sources = packageSources();
const rows = [...MESH_ERRORS, ...REQUEST_ERRORS, ...WARNINGS, ...FINDINGS];
const variables = new Set([...SETTINGS.flatMap((row) => row.variables), ...OTHER_VARIABLES.map(({ variable }) => variable)]);

describe('the page of errors', () => {
  it('has a row for every code of the packages', () => {
    const known = new Set([...rows, ...MESSAGE_TYPES].map(({ code }) => code));
    const found = new Set(sources.match(/\b(?:RIPSTOP_[A-Z][A-Z_]*[A-Z]|IST\d{4})\b/g));
    expect([...found].filter((name) => !known.has(name) && !variables.has(name)).sort()).toEqual([]);
  });

  it('has no row for a code that is gone, and none twice', () => {
    const codes = rows.map(({ code }) => code);
    expect(codes.filter((code) => !sources.includes(`'${code}'`) && !sources.includes(`[${code}]`))).toEqual([]);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  it('names every response code detail of our own', () => {
    const found = new Set(sources.match(/(?<=details: [`'])ripstop_[a-z_]+/g));
    const known = DETAILS.map(({ code }) => code.replace(/\{.*/, ''));
    expect([...found].sort()).toEqual([...known].sort());
  });

  it('says of each what happened and what to do, in a sentence', () => {
    for (const { code, happened, remedy } of [...rows, ...DETAILS])
      expect(`${code}: ${happened} ${remedy}`).toMatch(/^\S+ .{10,}\. [A-Z].{5,}\.$/);
  });
});

import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, root } from './sources.ts';

const pages = ['README.md', ...filesBelow(join(root, 'docs'), '.md').map((file) => relative(root, file))];

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll('`', '')
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
}

/** Links that lead nowhere. Addresses of the web are not asked. */
function broken(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const links = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!).filter((link) => !/^[a-z]+:/.test(link));
  return links.filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? join(root, page) : join(root, dirname(page), path);
    if (!existsSync(target)) return true;
    if (anchor === undefined || statSync(target).isDirectory()) return false;
    const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]!));
    return !headings.includes(anchor);
  });
}

describe('links between pages', () => {
  it.each(pages)('of %s lead somewhere', (page) => {
    expect(broken(page)).toEqual([]);
  });

  it('reach every page of docs/ from the README', () => {
    const reached = new Set(['README.md']);
    for (const page of reached) {
      const text = withoutCode(readFileSync(join(root, page), 'utf8'));
      for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const target = relative(root, join(root, dirname(page), link!.split('#')[0]!));
        if (pages.includes(target)) reached.add(target);
        else if (existsSync(join(root, target)) && statSync(join(root, target)).isDirectory())
          for (const below of pages) if (below.startsWith(target.replace(/\/?$/, '/'))) reached.add(below);
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });
});

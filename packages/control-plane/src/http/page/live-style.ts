/** Style of the live page, light and dark. */
export const LIVE_STYLE: string = `
:root { color-scheme: light dark; --line: light-dark(#c8ccd4, #3a4150); --soft: light-dark(#f4f5f8, #1b1f28); --good: light-dark(#1a7f4b, #4cc38a);
  --bad: light-dark(#b42318, #ff8a7a); --ink: light-dark(#14171f, #e6e8ee); --dim: light-dark(#5b6272, #9aa3b5); --accent: light-dark(#2f5bd7, #8fb0ff); }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: light-dark(#fff, #12151c); }
header { display: flex; gap: 1.5rem; align-items: baseline; padding: .8rem 1.5rem; border-bottom: 1px solid var(--line); flex-wrap: wrap; }
h1 { font-size: 1.2rem; margin: 0; letter-spacing: .02em; }
h2 { font-size: 1rem; margin: 0 0 .6rem; }
header p { margin: 0; color: var(--dim); flex: 1; }
main { display: grid; gap: 1.2rem; padding: 1.2rem 1.5rem; max-width: 1200px; margin: 0 auto; }
section { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; color: var(--dim); padding: .6rem 0 .3rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 500; }
.good { color: var(--good); } .bad { color: var(--bad); } .dim { color: var(--dim); }
svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
svg rect { fill: light-dark(#fff, #232936); stroke: var(--line); } svg text { fill: var(--ink); font-size: 13px; }
svg .label { font-size: 11px; fill: var(--dim); } svg path { fill: none; stroke: var(--accent); } svg path.failing { stroke: var(--bad); }
svg .plate { fill: var(--soft); stroke: none; }
#findings { margin: 0 0 .8rem; padding-left: 1.1rem; } #findings code { font-size: .85rem; }
.empty { color: var(--dim); margin: .4rem 0; }
`;

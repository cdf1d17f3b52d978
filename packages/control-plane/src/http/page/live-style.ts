/** Style of the live page, light and dark. */
export const LIVE_STYLE: string = `
:root { color-scheme: light dark; --line: light-dark(#d3d7df, #343b49); --soft: light-dark(#f7f8fa, #191d26); --good: light-dark(#1a7f4b, #4cc38a);
  --bad: light-dark(#b42318, #ff8a7a); --ink: light-dark(#14171f, #e6e8ee); --dim: light-dark(#5b6272, #9aa3b5); --accent: light-dark(#3b63d3, #8fb0ff); --paper: light-dark(#fff, #12151c); }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body.stale main { opacity: .5; } body.stale #summary { color: var(--bad); }
header { position: sticky; top: 0; z-index: 1; display: flex; gap: .4rem 1.5rem; align-items: baseline; padding: .7rem 1.5rem; border-bottom: 1px solid var(--line);
  background: var(--paper); flex-wrap: wrap; }
h1 { font-size: 1.15rem; margin: 0; letter-spacing: .01em; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
header p { margin: 0; color: var(--dim); flex: 1; font-variant-numeric: tabular-nums; }
header label { color: var(--dim); } select { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: .1rem .3rem; }
main { display: grid; gap: 1.1rem; padding: 1.1rem 1.5rem 3rem; max-width: 1240px; margin: 0 auto; grid-template-columns: minmax(0, 1fr); }
section { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem; overflow-x: auto; min-width: 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--dim); padding: .6rem 0 .3rem; }
th, td { text-align: left; padding: .28rem 1rem .28rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; } th { color: var(--dim); font-weight: 500; } .wrap, .name { white-space: normal; overflow-wrap: anywhere; }
.wrap { min-width: 16rem; } .name { min-width: 8rem; max-width: 26rem; }
.tall { max-height: 30rem; overflow: auto; } .tall thead th { position: sticky; top: 0; background: var(--soft); } #graph { overflow: auto; max-height: 42rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .dim { color: var(--dim); }
svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
svg rect { fill: var(--paper); stroke: var(--line); } svg text { fill: var(--ink); font-size: 13px; }
svg .label { font-size: 11px; fill: var(--dim); } svg path { fill: none; stroke: var(--accent); } svg path.failing { stroke: var(--bad); } svg tspan.failing { fill: var(--bad); }
svg .head { fill: var(--accent); stroke: none; } svg .head.failing { fill: var(--bad); stroke: none; }
svg .plate { fill: var(--soft); stroke: none; } svg .lock path { stroke: var(--good); stroke-width: 1.4; } svg .lock rect { fill: var(--good); stroke: none; }
#findings { margin: 0 0 .6rem; padding-left: 1.1rem; } #findings code { font-size: .85rem; overflow-wrap: anywhere; }
h3 { font-size: .95rem; margin: 1rem 0 .4rem; overflow-wrap: anywhere; }
form { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: end; } form label { display: grid; color: var(--dim); font-size: .85rem; } form .grow { flex: 1 14rem; }
input, textarea, button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 4px; padding: .25rem .5rem; }
textarea { resize: vertical; min-height: 2.1rem; } button { border-color: var(--accent); color: var(--accent); cursor: pointer; } button:disabled { opacity: .5; }
:is(input, textarea, button, select):focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
#answer .wrap { min-width: 18rem; }
.way { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 1.6rem; margin: .3rem 0 .7rem; padding: 0; }
.way li { position: relative; display: grid; max-width: 17rem; padding: .35rem .7rem; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; font-size: .85rem; }
.way li + li::before { content: '→'; position: absolute; left: -1.3rem; top: 50%; translate: 0 -50%; color: var(--accent); }
.way strong { font-weight: 600; } .way span { color: var(--dim); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.way .good { border-color: var(--good); } .way .bad { border-color: var(--bad); }
summary { cursor: pointer; color: var(--dim); }
.empty { color: var(--dim); margin: .4rem 0; }
@media (max-width: 640px) {
  header p { order: 1; flex-basis: 100%; } header input { width: 7rem; } .wrap { min-width: 12rem; }
  main { padding: .7rem .6rem 2rem; } header { padding: .5rem .8rem; } section { padding: .7rem .8rem; }
  .way { padding-left: 1.3rem; }
  #answer .wrap { min-width: 0; } #answer tr { display: grid; grid-template-columns: 6rem minmax(0, 1fr); border-bottom: 1px solid var(--line); }
  #answer :is(th, td) { border-bottom: 0; padding-right: 0; } #answer td + td:not(:empty) { grid-column: 2; white-space: normal; overflow-wrap: anywhere; } #answer td:empty { display: none; }
}
`;

import { createHash } from 'node:crypto';
import { LIVE_SCRIPT } from './live-script.ts';
import { LIVE_STYLE } from './live-style.ts';

/** The live page: one document without external parts; its script asks `/api/graph` and `/api/state` once a second. */
export const LIVE_PAGE: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ripstop</title>
<style>${LIVE_STYLE}</style>
</head>
<body>
<header>
  <h1>Ripstop</h1>
  <p id="summary" role="status">connecting …</p>
  <label>window <select id="window"><option value="5">5 s</option><option value="30" selected>30 s</option><option value="300">5 min</option></select></label>
</header>
<main>
  <section aria-labelledby="graph-title">
    <h2 id="graph-title">Traffic</h2>
    <div id="graph"></div>
    <table id="edges"><caption>The same as a table</caption>
      <thead><tr><th>from</th><th>to</th><th>requests/s</th><th>errors</th><th>p50</th><th>p99</th><th>mTLS</th><th>versions</th></tr></thead>
      <tbody></tbody></table>
  </section>
  <section aria-labelledby="services-title">
    <h2 id="services-title">Services</h2>
    <table id="services">
      <thead><tr><th>host</th><th>ports</th><th>endpoints</th></tr></thead>
      <tbody></tbody></table>
  </section>
  <section aria-labelledby="instances-title">
    <h2 id="instances-title">Instances</h2>
    <table id="instances">
      <thead><tr><th>service</th><th>instance</th><th>serves</th><th>health</th><th>configuration</th></tr></thead>
      <tbody></tbody></table>
  </section>
  <section aria-labelledby="config-title">
    <h2 id="config-title">Configuration</h2>
    <ul id="findings"></ul>
    <details><summary id="objects-summary">objects</summary>
    <table id="objects">
      <thead><tr><th>kind</th><th>name</th><th>from</th></tr></thead>
      <tbody></tbody></table></details>
  </section>
</main>
<script>${LIVE_SCRIPT}</script>
</body>
</html>
`;

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but this page's own script and style may run. */
export const LIVE_PAGE_CSP: string = [
  "default-src 'none'",
  `script-src ${hash(LIVE_SCRIPT)}`,
  `style-src ${hash(LIVE_STYLE)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

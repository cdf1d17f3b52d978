import { createHash } from 'node:crypto';
import { EXPLAIN_SCRIPT } from './explain-script.ts';
import { LIVE_SCRIPT } from './live-script.ts';
import { LIVE_STYLE } from './live-style.ts';

/** The main part first: it has the helpers. */
const SCRIPT = `${LIVE_SCRIPT}${EXPLAIN_SCRIPT}`;

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
  <p><span id="summary" role="status">connecting …</span> <span id="time" aria-hidden="true"></span></p>
  <label>filter <input id="filter" type="search" placeholder="reviews" autocomplete="off"></label>
  <label>window <select id="window"><option value="5">5 s</option><option value="30" selected>30 s</option><option value="300">5 min</option></select></label>
</header>
<main>
  <section aria-labelledby="graph-title">
    <h2 id="graph-title">Traffic</h2>
    <div id="graph"></div>
    <div class="tall"><table id="edges"><caption>The same as a table</caption>
      <thead><tr><th>from</th><th>to</th><th>requests/s</th><th>errors</th><th>p50</th><th>p99</th><th>mTLS</th><th>versions</th></tr></thead>
      <tbody></tbody></table></div>
  </section>
  <section id="explain" aria-labelledby="explain-title" hidden>
    <h2 id="explain-title">Where would a request go?</h2>
    <form id="ask">
      <label>from <input name="from" list="callers" required placeholder="productpage.default" autocomplete="off"></label>
      <label>method <select name="method"><option>GET</option><option>POST</option><option>PUT</option><option>PATCH</option><option>DELETE</option><option>HEAD</option><option>OPTIONS</option></select></label>
      <label class="grow">URL <input name="url" type="url" list="urls" required placeholder="http://reviews:9080/reviews/1" autocomplete="off"></label>
      <label class="grow">headers, one per line <textarea name="headers" rows="1" placeholder="end-user: jason"></textarea></label>
      <button>Explain</button>
    </form>
    <datalist id="callers"></datalist><datalist id="urls"></datalist>
    <p class="empty">Nothing is sent: the data plane's own evaluator runs over what both sides are configured with.</p>
    <div id="answer" aria-live="polite"></div>
  </section>
  <section aria-labelledby="services-title">
    <h2 id="services-title">Services</h2>
    <div class="tall"><table id="services">
      <thead><tr><th>host</th><th>ports</th><th>endpoints</th></tr></thead>
      <tbody></tbody></table></div>
  </section>
  <section aria-labelledby="instances-title">
    <h2 id="instances-title">Instances</h2>
    <div class="tall"><table id="instances">
      <thead><tr><th>service</th><th>instance</th><th>serves</th><th>health</th><th>configuration</th></tr></thead>
      <tbody></tbody></table></div>
  </section>
  <section aria-labelledby="config-title">
    <h2 id="config-title">Configuration</h2>
    <div class="tall"><ul id="findings"></ul></div>
    <details><summary id="objects-summary">objects</summary>
    <div class="tall"><table id="objects">
      <thead><tr><th>kind</th><th>name</th><th>from</th></tr></thead>
      <tbody></tbody></table></div></details>
  </section>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but this page's own script and style may run. */
export const LIVE_PAGE_CSP: string = [
  "default-src 'none'",
  `script-src ${hash(SCRIPT)}`,
  `style-src ${hash(LIVE_STYLE)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

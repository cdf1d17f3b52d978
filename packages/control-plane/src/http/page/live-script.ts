/** Script of the live page: plain browser JavaScript, no library. Everything it shows is put in as text, never as markup. */
export const LIVE_SCRIPT: string = `
'use strict';
const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 170, HEIGHT = 44, GAP_X = 240, GAP_Y = 56;
const $ = (id) => document.getElementById(id);
const element = (name, text, className) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (className) e.className = className; return e; };
const shape = (name, attributes, text) => { const e = document.createElementNS(SVG, name); for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value); if (text !== undefined) e.textContent = text; return e; };
const number = (value) => value >= 100 || value === 0 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
const plural = (count, noun) => count + ' ' + noun + (count === 1 ? '' : 's');

/** Names with their namespace where one name stands in two. */
function nodeNames(edges) {
  const seen = new Map();
  const ends = edges.flatMap((edge) => [[edge.source, edge.sourceNamespace], [edge.target, edge.targetNamespace]]);
  for (const [name, namespace] of ends) seen.set(name, (seen.get(name) ?? new Set()).add(namespace));
  return (name, namespace) => seen.get(name).size > 1 ? name + '.' + namespace : name;
}

/** Edges that lead back to a service on the way there, found from the entries on. */
function backEdges(edges) {
  const called = new Set(edges.filter((edge) => edge.from !== edge.to).map((edge) => edge.to));
  const nodes = [...new Set(edges.flatMap((edge) => [edge.from, edge.to]))];
  const back = new Set(), done = new Set(), path = new Set();
  const visit = (node) => {
    path.add(node);
    for (const edge of edges) {
      if (edge.from !== node) continue;
      if (path.has(edge.to)) back.add(edge);
      else if (!done.has(edge.to)) visit(edge.to);
    }
    path.delete(node);
    done.add(node);
  };
  for (const node of nodes.filter((name) => !called.has(name)).concat(nodes)) if (!done.has(node)) visit(node);
  return back;
}

/** Column of each service: the longest path from an entry. */
function layers(edges) {
  const back = backEdges(edges);
  const forward = edges.filter((edge) => !back.has(edge));
  const depth = new Map(edges.flatMap((edge) => [[edge.from, 0], [edge.to, 0]]));
  for (let moved = true; moved;) {
    moved = false;
    for (const edge of forward) {
      if (depth.get(edge.to) > depth.get(edge.from)) continue;
      depth.set(edge.to, depth.get(edge.from) + 1);
      moved = true;
    }
  }
  return depth;
}

/** Columns in the order that crosses least: each service near the middle of those that call it. */
function place(edges) {
  const depth = layers(edges);
  const columns = [];
  for (const [node, at] of [...depth].sort(([a], [b]) => a < b ? -1 : 1)) (columns[at] ??= []).push(node);
  const rows = Math.max(...columns.map((column) => column.length));
  const spots = new Map();
  columns.forEach((column, x) => {
    const middle = (node) => {
      const callers = edges.filter((edge) => edge.to === node && spots.has(edge.from)).map((edge) => spots.get(edge.from).y);
      return callers.length === 0 ? 0 : callers.reduce((sum, y) => sum + y, 0) / callers.length;
    };
    const ordered = column.map((node) => [node, middle(node)]).sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
    const offset = (rows - column.length) * (HEIGHT + GAP_Y) / 2;
    ordered.forEach(([node], y) => spots.set(node, { x: 10 + x * (WIDTH + GAP_X), y: 30 + offset + y * (HEIGHT + GAP_Y) }));
  });
  return { spots, width: columns.length * (WIDTH + GAP_X) - GAP_X + 20, height: rows * (HEIGHT + GAP_Y) + 40 };
}

/** Forward edges run from side to side; backward ones under the boxes; a service that calls itself gets a loop. */
function route(from, to) {
  const x1 = from.x + WIDTH, y1 = from.y + HEIGHT / 2, x2 = to.x, y2 = to.y + HEIGHT / 2;
  if (x2 > x1) {
    const bend = (x2 - x1) / 2;
    // A long edge is labelled in its first gap, where it is still apart from the others.
    const t = x2 - x1 > GAP_X ? 0.5 * GAP_X / (x2 - x1) * 1.3 : 0.5;
    const part = (a, b, c, d) => (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t ** 3 * d;
    return { d: ['M', x1, y1, 'C', x1 + bend, y1, x2 - bend, y2, x2 - 2, y2].join(' '), at: { x: part(x1, x1 + bend, x2 - bend, x2), y: part(y1, y1, y2, y2) } };
  }
  const low = Math.max(from.y, to.y) + HEIGHT + 56, left = from.x + WIDTH / 2, right = to.x + WIDTH / 2 - (from === to ? 50 : 0);
  return { d: ['M', left, from.y + HEIGHT, 'C', left, low, right, low, right, to.y + HEIGHT + 2].join(' '), at: { x: (left + right) / 2, y: low - (Math.abs(right - left) < WIDTH ? 16 : 24) } };
}

function lock(x, y) {
  const g = shape('g', { class: 'lock', transform: 'translate(' + x + ' ' + y + ')' });
  g.append(shape('path', { d: 'M2 5 V3.5 a3 3 0 0 1 6 0 V5' }), shape('rect', { x: 0.5, y: 5, width: 9, height: 6.5, rx: 1.5 }), shape('title', {}, 'every request over mutual TLS'));
  return g;
}

/** More than this nobody can read; the table has the rest. */
const MOST_EDGES = 120;

/** The edges that are drawn: those that the filter asks for, failing ones and the busiest first. */
function drawn(edges, wanted) {
  const asked = edges.filter((edge) => (edge.from + ' ' + edge.to).toLowerCase().includes(wanted));
  if (asked.length <= MOST_EDGES) return { edges: asked, left: 0 };
  const ranked = [...asked].sort((a, b) => b.errorPercent - a.errorPercent || b.rps - a.rps);
  return { edges: ranked.slice(0, MOST_EDGES), left: asked.length - MOST_EDGES };
}

function draw(graph) {
  const holder = $('graph');
  if (graph.edges.length === 0) {
    holder.replaceChildren(element('p', 'No traffic in this window. Call a service through the gateway or from another service, and it shows here.', 'empty'));
    return;
  }
  const nameOf = nodeNames(graph.edges);
  const named = graph.edges.map((edge) => ({ ...edge, from: nameOf(edge.source, edge.sourceNamespace), to: nameOf(edge.target, edge.targetNamespace) }));
  const { edges, left } = drawn(named, wanted());
  if (edges.length === 0) {
    holder.replaceChildren(element('p', 'No traffic of what the filter asks for.', 'empty'));
    return;
  }
  const { spots, width, height } = place(edges);
  const svg = shape('svg', { viewBox: '0 0 ' + width + ' ' + height, width, role: 'img', 'aria-label': 'service graph; the table below has the same data' });
  const most = Math.max(...edges.map((edge) => edge.rps));
  const labels = [];
  for (const edge of edges) {
    const { d, at } = route(spots.get(edge.from), spots.get(edge.to));
    const failing = edge.errorPercent > 0;
    const end = d.split(' ').slice(-2).map(Number);
    const back = spots.get(edge.to).x <= spots.get(edge.from).x + WIDTH;
    svg.append(shape('path', { d, 'stroke-width': 1.2 + 2.3 * edge.rps / most, class: failing ? 'failing' : '' }));
    svg.append(shape('path', { d: back ? 'M-4 7 L4 7 L0 0 z' : 'M-8 -4 L0 0 L-8 4 z', transform: 'translate(' + end[0] + ' ' + end[1] + ')', class: failing ? 'head failing' : 'head' }));
    labels.push(label(edge, at));
  }
  for (const [node, at] of spots) {
    const box = shape('g', {});
    box.append(shape('rect', { x: at.x, y: at.y, width: WIDTH, height: HEIGHT, rx: 6 }), shape('title', {}, node));
    box.append(shape('text', { x: at.x + WIDTH / 2, y: at.y + HEIGHT / 2 + 5, 'text-anchor': 'middle' }, node.length > 22 ? node.slice(0, 21) + '…' : node));
    svg.append(box);
  }
  svg.append(...labels);
  svg.style.minWidth = width * 0.75 + 'px'; // Smaller than this the labels cannot be read: the section scrolls.
  holder.replaceChildren(...(left > 0 ? [element('p', 'Drawn are those with errors and the busiest; ' + plural(left, 'more edge') + ' in the table, or by a filter.', 'empty')] : []), svg);
}

function label(edge, at) {
  const g = shape('g', {});
  const failing = edge.errorPercent > 0;
  const width = failing ? 156 : 116;
  g.append(shape('rect', { class: 'plate', x: at.x - width / 2, y: at.y - 19, width, height: 36, rx: 4 }));
  const first = shape('text', { class: 'label', x: at.x + (edge.mtls ? 7 : 0), y: at.y - 4, 'text-anchor': 'middle' }, number(edge.rps) + ' rps');
  if (failing) first.append(shape('tspan', { class: 'failing' }, '  ' + number(edge.errorPercent) + ' % errors'));
  g.append(first);
  if (edge.mtls) g.append(lock(at.x - (failing ? 72 : 34), at.y - 15));
  g.append(shape('text', { class: 'label', x: at.x, y: at.y + 11, 'text-anchor': 'middle' }, 'p50 ' + number(edge.p50Ms) + '  p99 ' + number(edge.p99Ms) + ' ms'));
  return g;
}

const wanted = () => $('filter').value.trim().toLowerCase();
const textOf = (cell) => Array.isArray(cell) ? cell[0] : cell;
const shown = new Map();

/** True when this is something else than what stands there: what a reader has selected stays selected. */
function changed(id, value) {
  const text = JSON.stringify(value);
  if (shown.get(id) === text) return false;
  shown.set(id, text);
  return true;
}

/** Rows of a table, those that the filter asks for; 'empty' says what would fill it. */
function fill(id, all, empty) {
  const rows = all.filter((cells) => cells.some((cell) => textOf(cell).toLowerCase().includes(wanted())));
  if (!changed(id, rows)) return;
  const body = $(id).tBodies[0];
  body.replaceChildren(...rows.map((cells) => {
    const row = element('tr');
    row.append(...cells.map((cell) => Array.isArray(cell) ? element('td', cell[0], cell[1]) : element('td', cell)));
    return row;
  }));
  if (rows.length > 0) return;
  const row = element('tr'), cell = element('td', all.length === 0 ? empty : 'none of ' + all.length + ' has what the filter asks for', 'dim wrap');
  cell.colSpan = $(id).tHead.rows[0].cells.length;
  row.append(cell);
  body.append(row);
}

const SYNC = { synced: ['in sync', 'good'], waiting: ['waiting for its answer', ''], 'not connected': ['not connected', 'dim'] };

function showEdges(edges) {
  const nameOf = nodeNames(edges);
  fill('edges', edges.map((edge) => [[nameOf(edge.source, edge.sourceNamespace), 'name'], [nameOf(edge.target, edge.targetNamespace), 'name'], number(edge.rps),
    [number(edge.errorPercent) + ' %', edge.errorPercent > 0 ? 'bad' : 'good'], number(edge.p50Ms) + ' ms', number(edge.p99Ms) + ' ms',
    edge.mtls ? ['yes', 'good'] : ['no', 'bad'],
    Object.entries(edge.versions).sort().map(([version, count]) => version + ' ' + (100 * count / edge.requests).toFixed(0) + ' %').join(', ')]), '');
  $('edges').hidden = edges.length === 0;
}

function showState(state) {
  fill('services', state.services.map((service) => [[service.host, 'name'], service.ports.map((port) => port.port + ' ' + port.protocol).join(', '),
    service.healthy === service.endpoints && service.note === '' ? [String(service.endpoints), 'good'] : [service.healthy + ' of ' + service.endpoints + (service.note ? ': ' + service.note : ' healthy'), 'bad wrap']]),
  'no services: put a Service or a ServiceEntry into the folder of YAML');
  fill('instances', state.instances.map((instance) => [[instance.service, 'name'], [instance.name, 'name'], instance.address,
    instance.health === 'client' ? ['calls only', 'dim'] : [instance.health.toLowerCase(), instance.health === 'HEALTHY' ? 'good' : 'bad'],
    instance.sync === 'refused' ? ['refused: ' + instance.nack, 'bad wrap'] : SYNC[instance.sync]]),
  'nobody is connected: ripstop run --service <name> -- node <program>.js starts a service');
  const findings = state.findings.filter((finding) => finding.text.toLowerCase().includes(wanted()));
  if (changed('findings', [findings, state.findings.length])) $('findings').replaceChildren(...(state.findings.length === 0 ? [element('li', 'no findings', 'good')] : findings.map((finding) => {
    const item = element('li', undefined, finding.severity === 'error' ? 'bad' : '');
    item.append(element('strong', finding.severity + ' '), element('code', finding.text));
    return item;
  })));
  fill('objects', state.objects.map((object) => [object.kind, [object.namespace ? object.namespace + '/' + object.name : object.name, 'name'], [object.file + ':' + object.line, 'name']]),
  'no objects');
  $('objects-summary').textContent = plural(state.objects.length, 'object') + ' in force';
}

function summary(state) {
  const connected = state.instances.filter((instance) => instance.sync !== 'not connected');
  const behind = connected.filter((instance) => instance.sync !== 'synced').length;
  const errors = state.findings.filter((finding) => finding.severity === 'error').length;
  return [plural(state.services.length, 'service'), plural(connected.length, 'client') + (behind === 0 ? ', all in sync' : ', ' + behind + ' not in sync'),
    errors === 0 ? plural(state.findings.length, 'finding') : plural(errors, 'error') + ' in the configuration'].join(' · ');
}

async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(path + ' answers ' + response.status);
  return response.json();
}

let graph, state;

function show() {
  if (changed('graph', [graph.edges, wanted()])) draw(graph);
  showEdges(graph.edges);
  showState(state);
  offer(state);
}

/** Read aloud when it changes, so the time stands apart. */
function say(text) {
  if ($('summary').textContent !== text) $('summary').textContent = text;
}

async function refresh() {
  try {
    [graph, state] = await Promise.all([load('/api/graph?seconds=' + $('window').value), load('/api/state')]);
    show();
    say(summary(state));
    $('time').textContent = new Date().toLocaleTimeString();
    document.body.classList.remove('stale');
  } catch (error) {
    say('no contact with the control plane (' + error.message + '); what is shown may be old');
    document.body.classList.add('stale');
  }
  setTimeout(refresh, 1000);
}
$('window').addEventListener('change', () => { load('/api/graph?seconds=' + $('window').value).then((answer) => { graph = answer; show(); }, () => {}); });
$('filter').addEventListener('input', () => { if (state !== undefined) show(); });
refresh();
`;

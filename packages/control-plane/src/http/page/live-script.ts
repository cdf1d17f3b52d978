/** Script of the live page: plain browser JavaScript, no library. Everything it shows is put in as text, never as markup. */
export const LIVE_SCRIPT: string = `
'use strict';
const SVG = 'http://www.w3.org/2000/svg';
const $ = (id) => document.getElementById(id);
const element = (name, text, className) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (className) e.className = className; return e; };
const shape = (name, attributes, text) => { const e = document.createElementNS(SVG, name); for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value); if (text !== undefined) e.textContent = text; return e; };
const number = (value) => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function layers(edges) {
  const depth = new Map();
  for (const edge of edges) { if (!depth.has(edge.source)) depth.set(edge.source, 0); if (!depth.has(edge.target)) depth.set(edge.target, 0); }
  // Longest path from the entry; a cycle ends after as many rounds as there are nodes.
  for (let round = 0; round < depth.size; round++) {
    let moved = false;
    for (const edge of edges) {
      const want = depth.get(edge.source) + 1;
      if (edge.source !== edge.target && depth.get(edge.target) < want && want < depth.size) { depth.set(edge.target, want); moved = true; }
    }
    if (!moved) break;
  }
  return depth;
}

function draw(edges) {
  const holder = $('graph');
  if (edges.length === 0) {
    holder.replaceChildren(element('p', 'No traffic in this window. Call a service through the gateway or from another service, and it shows here.', 'empty'));
    return;
  }
  const depth = layers(edges);
  const columns = [];
  for (const [node, at] of depth) (columns[at] ??= []).push(node);
  const width = 170, height = 44, gapX = 200, gapY = 50;
  const rows = Math.max(...columns.filter(Boolean).map((column) => column.length));
  const totalWidth = columns.length * width + (columns.length - 1) * gapX + 20;
  const totalHeight = rows * (height + gapY) + 30;
  const place = new Map();
  columns.forEach((column, x) => column.sort().forEach((node, y) => {
    const offset = (rows - column.length) * (height + gapY) / 2;
    place.set(node, { x: 10 + x * (width + gapX), y: 20 + offset + y * (height + gapY) });
  }));
  const svg = shape('svg', { viewBox: '0 0 ' + totalWidth + ' ' + totalHeight, width: totalWidth, role: 'img', 'aria-label': 'service graph, the table below has the same data' });
  const defs = shape('defs', {});
  const marker = shape('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto-start-reverse' });
  marker.append(shape('path', { d: 'M0 0 L8 4 L0 8 z', style: 'fill: currentColor; stroke: none' }));
  defs.append(marker); svg.append(defs);
  const most = Math.max(...edges.map((edge) => edge.rps));
  for (const edge of edges) {
    const from = place.get(edge.source), to = place.get(edge.target);
    const x1 = from.x + width, y1 = from.y + height / 2, x2 = to.x, y2 = to.y + height / 2;
    const bend = Math.max(40, Math.abs(x2 - x1) / 2);
    svg.append(shape('path', { d: 'M' + x1 + ' ' + y1 + ' C' + (x1 + bend) + ' ' + y1 + ' ' + (x2 - bend) + ' ' + y2 + ' ' + x2 + ' ' + y2,
      'stroke-width': 1 + 2.5 * edge.rps / most, 'marker-end': 'url(#arrow)', class: edge.errorPercent > 0 ? 'failing' : '' }));
    const middleX = (x1 + x2) / 2, middleY = (y1 + y2) / 2;
    const first = (edge.mtls ? '🔒 ' : '') + number(edge.rps) + ' rps' + (edge.errorPercent > 0 ? '  ✗ ' + number(edge.errorPercent) + ' %' : '');
    svg.append(shape('rect', { class: 'plate', x: middleX - 68, y: middleY - 18, width: 136, height: 34 }));
    svg.append(shape('text', { class: 'label', x: middleX, y: middleY - 4, 'text-anchor': 'middle' }, first));
    svg.append(shape('text', { class: 'label', x: middleX, y: middleY + 11, 'text-anchor': 'middle' }, 'p50 ' + number(edge.p50Ms) + '  p99 ' + number(edge.p99Ms) + ' ms'));
  }
  for (const [node, at] of place) {
    svg.append(shape('rect', { x: at.x, y: at.y, width, height, rx: 6 }));
    svg.append(shape('text', { x: at.x + width / 2, y: at.y + height / 2 + 5, 'text-anchor': 'middle' }, node));
  }
  holder.replaceChildren(svg);
}

function fill(id, rows) {
  $(id).tBodies[0].replaceChildren(...rows.map((cells) => {
    const row = element('tr');
    row.append(...cells.map((cell) => Array.isArray(cell) ? element('td', cell[0], cell[1]) : element('td', cell)));
    return row;
  }));
}

function show(graph, state) {
  draw(graph.edges);
  fill('edges', graph.edges.map((edge) => [edge.source, edge.target, number(edge.rps), [number(edge.errorPercent) + ' %', edge.errorPercent > 0 ? 'bad' : 'good'],
    number(edge.p50Ms) + ' ms', number(edge.p99Ms) + ' ms', edge.mtls ? '🔒 yes' : ['no', 'bad'],
    Object.entries(edge.versions).map(([version, count]) => version + ' ' + (100 * count / edge.requests).toFixed(0) + ' %').join('  ')]));
  fill('instances', state.instances.map((instance) => [instance.service, instance.name, instance.address,
    [instance.health, instance.health === 'HEALTHY' ? 'good' : 'bad'], [instance.synced ? '✓ in sync' : instance.nack ? '✗ refused: ' + instance.nack : '… waiting', instance.synced ? 'good' : 'bad']]));
  $('findings').replaceChildren(...(state.findings.length === 0 ? [element('li', 'No findings.', 'good')] : state.findings.map((finding) => {
    const item = element('li', undefined, finding.severity === 'error' ? 'bad' : '');
    item.append(element('strong', finding.severity + ' '), element('code', finding.text));
    return item;
  })));
  fill('objects', state.objects.map((object) => [object.kind, object.namespace ? object.namespace + '/' + object.name : object.name, object.file + ':' + object.line]));
  const waiting = state.instances.filter((instance) => !instance.synced).length;
  $('summary').textContent = state.instances.length + ' instances, ' + (waiting === 0 ? 'all in sync' : waiting + ' not in sync') + ', ' + state.objects.length + ' objects, '
    + state.findings.length + ' findings, as of ' + new Date().toLocaleTimeString();
}

async function refresh() {
  try {
    const [graph, state] = await Promise.all([fetch('/api/graph?seconds=' + $('window').value), fetch('/api/state')].map(async (answer) => {
      const response = await answer;
      if (!response.ok) throw new Error(response.url + ' answers ' + response.status);
      return response.json();
    }));
    show(graph, state);
  } catch (error) {
    $('summary').textContent = 'no contact with the control plane: ' + error.message;
  }
  setTimeout(refresh, 1000);
}
refresh();
`;

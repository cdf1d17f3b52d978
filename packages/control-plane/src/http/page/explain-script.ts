/** Part of the live page's script that asks what would become of a request and draws the answer; uses the helpers of the main part. */
export const EXPLAIN_SCRIPT: string = `
/** What the list offers: who runs, and what can be called. */
function offer(state) {
  $('explain').hidden = state.explains !== true;
  const callers = new Map(state.instances.filter((one) => one.sync !== 'not connected').map((one) => [one.service + '.' + one.namespace, one]));
  options('callers', [...callers.keys()].sort());
  options('urls', state.services.flatMap((service) => service.ports.filter((port) => /HTTP|GRPC/.test(port.protocol))
    .map((port) => 'http://' + service.host + (port.port === 80 ? '' : ':' + port.port) + '/')));
}

function options(id, values) {
  const list = $(id);
  if (list.dataset.values === values.join(' ')) return;
  list.dataset.values = values.join(' ');
  list.replaceChildren(...values.map((value) => Object.assign(element('option'), { value })));
}

function question(form) {
  const asked = new URLSearchParams();
  const from = form.elements.from.value.trim(), dot = from.lastIndexOf('.');
  asked.set('from', dot === -1 ? from : from.slice(0, dot));
  if (dot !== -1) asked.set('namespace', from.slice(dot + 1));
  asked.set('method', form.elements.method.value);
  asked.set('url', form.elements.url.value.trim());
  for (const line of form.elements.headers.value.split('\\n')) if (line.trim() !== '') asked.append('header', line.trim());
  return asked;
}

const VERDICTS = { forward: 'is sent on', serve: 'is served by the app', reply: 'is answered', reset: 'connection is reset' };

function verdictText(verdict) {
  if (verdict.kind === 'forward') return ['sent to', verdict.endpoint];
  if (verdict.kind === 'serve') return ['served', 'by the app'];
  if (verdict.kind === 'reply') return [String(verdict.status), verdict.flags === '-' || verdict.flags === '' ? verdict.details : verdict.flags];
  return ['reset', verdict.reason];
}

/** The steps that a picture needs, in the order of the walk: who, route, cluster, endpoint, filters, verdict. */
function stations(leg) {
  const last = (step) => leg.decisions.filter((decision) => decision.step === step).at(-1);
  const taken = leg.decisions.filter((decision) => decision.step === 'route').find((decision) => / matched/.test(decision.text));
  const [title, text] = verdictText(leg.verdict);
  const good = leg.verdict.kind === 'serve' || leg.verdict.kind === 'forward' || (leg.verdict.kind === 'reply' && leg.verdict.status < 400);
  const found = [['connection', last('connection')], ['host', last('host')], ['route', taken], ['cluster', last('cluster')], ['filters', last('filter')]]
    .filter(([, decision]) => decision !== undefined)
    .map(([name, decision]) => ({ title: name, text: decision.source ? decision.source.kind + ' ' + decision.source.name : decision.text, hint: decision.text }));
  return [...found, { title, text, hint: VERDICTS[leg.verdict.kind], className: good ? 'good' : 'bad' }];
}

function way(leg) {
  const row = element('ol', undefined, 'way');
  for (const { title, text, hint, className } of stations(leg)) {
    const box = element('li', undefined, className);
    box.append(element('strong', title), element('span', text));
    box.title = hint;
    row.append(box);
  }
  return row;
}

function decisions(leg) {
  const table = element('table'), body = element('tbody');
  let before = '';
  for (const { step, text, source } of leg.decisions) {
    const row = element('tr');
    row.append(element('th', step === before ? '' : step), element('td', text, 'wrap'),
      element('td', source === undefined ? '' : source.kind + ' ' + source.namespace + '/' + source.name, 'dim'),
      element('td', source === undefined || source.file === undefined ? '' : source.file + (source.line === undefined ? '' : ':' + source.line)));
    row.firstChild.scope = 'row';
    before = step;
    body.append(row);
  }
  table.append(body);
  return table;
}

function showWay(answer) {
  const parts = answer.legs.flatMap((leg) => [element('h3', leg.who), ...leg.refused.map((line) => element('p', 'refused: ' + line, 'bad')), way(leg), decisions(leg)]);
  if (answer.openEnd !== '') parts.push(element('p', answer.openEnd, 'dim'));
  $('answer').replaceChildren(...parts);
}

$('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  button.disabled = true;
  $('answer').replaceChildren(element('p', 'asking …', 'dim'));
  try {
    const response = await fetch('/api/explain?' + question(event.target));
    if (response.ok) showWay(await response.json());
    else $('answer').replaceChildren(element('p', (await response.text()).trim(), 'bad'));
  } catch (error) {
    $('answer').replaceChildren(element('p', 'no answer: ' + error.message, 'bad'));
  }
  button.disabled = false;
});
`;

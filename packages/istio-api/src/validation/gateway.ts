import type { ObjectMeta } from '../object.ts';
import type { GatewaySpec, ServerTLSSettings } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { isAddress, isDnsLabel, isSocketPath, UNIX, wildcardHostProblem } from './names.ts';
import { checkProtocol } from './protocols.ts';

/** istiod's rules (ValidateGateway) for what is the same in every mode of TLS. */
export function checkGatewayServers({ servers = [] }: GatewaySpec, { name }: ObjectMeta, report: Report): void {
  if (!isDnsLabel(name))
    report('RIPSTOP_BAD_VALUE', 'error', ['metadata', 'name'], `${JSON.stringify(name)} is no name of a Gateway: letters, digits and "-"`);
  if (servers.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'servers'], 'give at least one server');
  const names = new Set<string>();
  for (const [index, { hosts, port, tls, bind = '' }] of servers.entries()) {
    const path = ['spec', 'servers', index];
    if (tls !== undefined && tls.mode !== 'ISTIO_MUTUAL' && certificateSources(tls) > 1)
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        [...path, 'tls'],
        'give credentialName or files, not both, and one list of certificates: it must be plain which certificate is shown',
      );
    if (hosts.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'hosts'], 'give at least one host');
    checkBind(port.number, bind, path, report);
    for (const [position, host] of hosts.entries()) checkScopedHost(host, 'Gateway', [...path, 'hosts', position], report);
    if (port.protocol === '') report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'port', 'protocol'], 'give the protocol of the port');
    checkProtocol(port.protocol, [...path, 'port', 'protocol'], report);
    if ((port.targetPort ?? 0) > 0)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, 'port', 'targetPort'], 'targetPort has no effect in a Gateway: remove it');
    const { name: portName = '' } = port;
    if (portName === '')
      report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'port', 'name'], `give the port a name, such as ${port.protocol.toLowerCase()}`);
    else if (names.has(portName))
      report('RIPSTOP_BAD_VALUE', 'error', [...path, 'port', 'name'], `two ports are called ${JSON.stringify(portName)}: name them apart`);
    names.add(portName);
  }
}

/** Istio: validateServerPort, validateServerBind. */
function checkBind(number: number, bind: string, path: Path, report: Report): void {
  const bad = (field: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, ...field], message);
  if (!bind.startsWith(UNIX)) {
    if (number === 0 || number > 65_535) bad(['port', 'number'], 'a port is 1 to 65535; 0 is for a Unix socket alone');
    if (bind !== '' && !isAddress(bind)) bad(['bind'], `${JSON.stringify(bind)} is no IP address and no unix://<path>`);
    return;
  }
  if (!isSocketPath(bind.slice(UNIX.length))) bad(['bind'], `${JSON.stringify(bind)}: the path of a socket is whole, or begins with "@"`);
  if (number !== 0) bad(['port', 'number'], 'a Unix socket has no port: give 0');
}

function certificateSources(tls: ServerTLSSettings): number {
  const { credentialName = '', credentialNames = [], serverCertificate = '', privateKey = '', tlsCertificates = [] } = tls;
  const given = [
    credentialName !== '',
    credentialNames.length > 0,
    serverCertificate !== '' && privateKey !== '',
    tlsCertificates.length > 0,
  ];
  return given.filter(Boolean).length;
}

/** `namespace/host`; a Gateway's may be a host alone, and an address (Istio: ValidateNamespaceSlashWildcardHostname). */
export function checkScopedHost(text: string, kind: 'Gateway' | 'Sidecar', path: Path, report: Report): void {
  const bad = (message: string): void => report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(text)}: ${message}`);
  const slash = text.indexOf('/');
  if (slash < 0 && kind === 'Sidecar') {
    bad('write namespace/host, such as ./* or */reviews.default.svc.cluster.local');
    return;
  }
  const host = text.slice(slash + 1);
  if (slash >= 0) {
    const namespace = text.slice(0, slash);
    // `~` excludes a namespace from a Sidecar.
    const named = kind === 'Sidecar' ? namespace.replace(/^~/, '') : namespace;
    const known = ['*', '.'].includes(named) || isDnsLabel(named) || (kind === 'Sidecar' && namespace === '~');
    if (!known) bad(`${JSON.stringify(namespace)} is no namespace: give ".", "*" or a name`);
  }
  const problem = wildcardHostProblem(host);
  if (host !== '*' && !host.includes('.')) bad('a host is a whole name with its domain, or "*"');
  else if (problem !== undefined && !(kind === 'Gateway' && isAddress(host))) bad(problem);
  else if (/^\*[^.]/.test(host)) bad('a wildcard is "*" or begins with "*."');
}

import { allowNothing, denyAll, policies } from './table/authorization.ts';
import { gatewayCodec, serverCodec } from './table/codec.ts';
import { destinations } from './table/destinations.ts';
import { besideGateway, gateway } from './table/gateway.ts';
import { load } from './table/load.ts';
import { localReplies } from './table/local-replies.ts';
import { disabled, permissive, strict } from './table/mutual-tls.ts';
import { issuers, tokens } from './table/request-authentication.ts';
import { resilience } from './table/resilience.ts';
import { rewriting } from './table/rewriting.ts';
import { routing } from './table/routing.ts';
import { runTable } from './table/run-table.ts';

for (const table of [routing, rewriting, localReplies, resilience, load, destinations, besideGateway, gateway]) runTable(table);
for (const table of [denyAll, allowNothing, policies, permissive, strict, disabled, serverCodec, gatewayCodec]) runTable(table);
for (const table of [tokens, issuers]) runTable(table);

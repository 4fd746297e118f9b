import { type AgentName, agentNames, ids, keyOf, now } from './principals.js';

const issuer = 'https://id.acme.dev';

/** RFC 7523: by which an agent proves itself to an authority. `jti` is free. */
function assertion(name: AgentName): object {
  const key = keyOf(name);
  const header = JSON.stringify({ alg: 'EdDSA', kid: key.thumbprint });
  const claims = { iss: ids[name], sub: ids[name], aud: issuer, iat: now, exp: now + 60, jti: `assertion-of-${name}` };
  const payload = JSON.stringify(claims);
  const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
  const jwt = `${signed}.${key.sign(Buffer.from(signed)).toString('base64url')}`;
  return { key: name, issuer, now, jti: claims.jti, header, payload, jwt };
}

export const messages = [
  'approve-request:174325',
  'countersign-challenge:t8xkz4-00112233445566778899aabbccddeeff-0123456789abcdef',
];

/** A signature for a challenge must be good for nothing else: these are no challenges. */
export const refusedMessages = [
  '',
  'approve-request',
  ':174325',
  'Approve:1',
  'a:b c',
  'a:b\n',
  `a:${'b'.repeat(257)}`,
  '"@method": GET\n"@authority": api.acme.dev',
  'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0',
];

function challenge(message: string): object {
  const signature = keyOf('orchestrator').sign(Buffer.from(message)).toString('base64');
  const request = { agent_id: ids.orchestrator, message: Buffer.from(message).toString('base64'), signature };
  return { key: 'orchestrator', message, request };
}

/** authority.json: what an agent sends to an authority. */
export function authorityVectors(): object {
  return {
    assertions: agentNames.map(assertion),
    challenges: messages.map(challenge),
    refusedMessages,
  };
}

// The agents and the token issuer of the benchmark: makes requests that are signed before they are sent, each with a
// nonce of its own.
import { generateKeyPairSync } from 'node:crypto';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { mintDelegation } from '@countersign/delegation';
import * as world from './world.mjs';

const names = [world.AGENT, ...world.DELEGATORS];
const agentKeys = names.map(() => generateAgentKey());
const issuerKey = generateKeyPairSync('ed25519');
const agents = await Promise.all(names.map((id, at) => createAgent({ id, key: agentKeys[at] })));

/** The agent that signs. */
export const reviewer = agents[0];

/** The public keys that a server needs. */
export const publicKeys = {
  agents: names.map((id, at) => ({ id, jwk: agentKeys[at].publicJwk, capabilities: [world.CAPABILITY] })),
  issuer: { ...issuerKey.publicKey.export({ format: 'jwk' }), kid: world.ISSUER_KEY_ID },
};

export function mintToken(agent, lifetimeSeconds = 3600) {
  return mintDelegation({
    issuer: world.ISSUER,
    key: issuerKey.privateKey,
    keyId: world.ISSUER_KEY_ID,
    user: world.USER,
    agent,
    scope: world.SCOPE,
    audience: world.ORIGIN,
    lifetimeSeconds,
    now: Math.floor(Date.now() / 1000),
  });
}

/** The user's token goes to an agent that is `links` links away from the one that signs. */
async function signerBehind(links) {
  let signer = agents[links].withToken(await mintToken(names[links]));
  for (let at = links - 1; at >= 0; at -= 1) {
    signer = agents[at].accept(await signer.delegate(names[at], { scope: world.SCOPE }));
  }
  return signer;
}

/** Signers whose token and links a server may have seen before. Links live for minutes, so a batch has its own. */
export async function signBatch({ count, links, warm }) {
  const shared = warm ? await signerBehind(links) : undefined;
  const requests = [];
  for (let at = 0; at < count; at += 1) requests.push(await signedText(shared ?? (await signerBehind(links))));
  return requests;
}

/** The bytes of one request on the wire. */
export async function signedText(signer) {
  const { headers } = await signer.signRequest({
    method: 'POST',
    url: `${world.ORIGIN}${world.PATH}`,
    headers: { 'content-type': 'application/json' },
    body: world.BODY,
  });
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const length = `content-length: ${Buffer.byteLength(world.BODY)}`;
  const hasLength = fields.some((field) => field.startsWith('content-length:'));
  const lines = [`POST ${world.PATH} HTTP/1.1`, `host: ${world.HOST}`, ...(hasLength ? [] : [length]), ...fields];
  return [...lines, '', world.BODY].join('\r\n');
}

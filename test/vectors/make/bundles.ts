import { linkVector } from './links.js';
import { agentKeyOf, type AgentName, ids, now, tokenOf } from './principals.js';

/** A bundle that comes to an agent. */
export interface BundleCase {
  readonly name: string;
  readonly recipient: AgentName;
  readonly now: number;
  readonly bundle: unknown;
  readonly accepted: boolean;
}

const own = linkVector('its own right').link;
const handedOn = linkVector('its own right, handed on').link;
const afterToken = linkVector('read only, after the token').link;
const bound = linkVector('bound to one key').link;
const token = tokenOf();

const base = { version: 1, token, links: [afterToken] };
const accepted = true;
type Given = Partial<Omit<BundleCase, 'name'>>;

const given: Readonly<Record<string, Given>> = {
  'a token and a link': { accepted },
  'a link': { accepted, bundle: { version: 1, links: [own] } },
  'two links': { accepted, recipient: 'crawler', bundle: { version: 1, links: [own, handedOn] } },
  'bound to a key of the recipient': { accepted, bundle: { version: 1, token, links: [bound] } },
  'the last second': { accepted, now: now + 309 },
  nothing: { bundle: null },
  text: { bundle: JSON.stringify(base) },
  'a list': { bundle: [base] },
  'no version': { bundle: { token, links: [afterToken] } },
  'another version': { bundle: { ...base, version: 2 } },
  'a version in text': { bundle: { ...base, version: '1' } },
  'a further member': { bundle: { ...base, scope: 'repo:read' } },
  'no links': { bundle: { version: 1, token } },
  'an empty list of links': { bundle: { version: 1, token, links: [] } },
  'links that are no list': { bundle: { ...base, links: afterToken } },
  'more links than any API accepts': { bundle: { ...base, links: Array.from({ length: 17 }, () => afterToken) } },
  'a link that is none': { bundle: { ...base, links: ['link'] } },
  'a link in quotes': { bundle: { ...base, links: [`"${afterToken}"`] } },
  'a link whose payload is not JSON': { bundle: { ...base, links: ['e30.bm8.c2ln'] } },
  'a token that is null': { bundle: { ...base, token: null } },
  'a token with its scheme': { bundle: { ...base, token: `Bearer ${token}` } },
  'a token that is no JWT': { bundle: { ...base, token: 'opaque' } },
  'a link without its token': { bundle: { version: 1, links: [afterToken] } },
  'a link of another token': { bundle: { ...base, token: tokenOf({ jti: 'another' }) } },
  'a first link with a token that it does not follow': { bundle: { ...base, links: [own] } },
  'links in another order': { recipient: 'crawler', bundle: { version: 1, links: [handedOn, own] } },
  'a chain that is cut at its end': { recipient: 'crawler', bundle: { version: 1, links: [own] } },
  'a chain that is cut at its begin': { recipient: 'crawler', bundle: { version: 1, links: [handedOn] } },
  'for another agent': { recipient: 'crawler' },
  'a link that has expired': { now: now + 310 },
  'a token that has expired': { now: now + 200, bundle: { ...base, token: tokenOf({ exp: now + 200 }) } },
};

export const bundleCases: readonly BundleCase[] = Object.entries(given).map(([name, one]) => ({
  name,
  recipient: 'runner',
  now: now + 20,
  bundle: base,
  accepted: false,
  ...one,
}));

/** bundles.json: what an agent accepts of another, and what not. */
export function bundleVectors(): object {
  // The one case that needs another key of the same agent.
  const otherKey = {
    name: 'bound to another key of the recipient',
    recipient: 'runner',
    recipientKey: 'crawler',
    now: now + 20,
    bundle: { version: 1, token, links: [bound] },
    accepted: false,
  };
  const agents = Object.entries(ids).map(([name, id]) => ({ name, id, keyId: agentKeyOf(name as AgentName).keyId }));
  return { agents, bundles: [...bundleCases, otherKey] };
}

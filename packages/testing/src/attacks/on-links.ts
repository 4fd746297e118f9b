import { generateAgentKey } from '@countersign/agent';
import { mintLink, type MintLinkOptions } from '@countersign/delegation';
import type { Held } from '../caller.js';
import type { Attempt, RequestKind } from './attempt.js';
import { definedOf, type Forge } from './forge.js';
import { tokenOf } from './on-tokens.js';

const needs = ({ hasToken, linked, mayLink }: RequestKind): boolean => hasToken && !linked && mayLink;

/** What is wrong with a link, by which an accomplice got what the caller holds. */
export const onLinks: readonly Attempt[] = [
  handedOn('a link wider than the token', 'delegation_wider', () => ({ scope: 'everything:all' })),
  handedOn('a link that has expired', 'delegation_expired', ({ now }) => ({ now: now - 7200 })),
  handedOn('a link for another API', 'delegation_audience_mismatch', () => ({ audience: 'https://elsewhere.test' })),
  handedOn('a link signed by a stranger', 'delegation_invalid', () => ({ signer: generateAgentKey() })),
  handedOn('a link from somebody else', 'delegation_invalid', () => ({ delegator: 'mallory' })),
  handedOn('a link to somebody else', 'delegation_invalid', () => ({ delegate: 'mallory' })),
  handedOn('a link that hangs on nothing', 'delegation_invalid', () => ({ parent: undefined })),
];

type LinkChanges = { readonly [Name in keyof MintLinkOptions]?: MintLinkOptions[Name] | undefined };

function handedOn(name: string, code: Attempt['code'], change: (forge: Forge) => LinkChanges): Attempt {
  return {
    name,
    code,
    needs,
    make: async (forge, _send, { accomplice }) => {
      const other = accomplice();
      const options: object = definedOf({ ...(await rightLink(forge, other)), ...change(forge) });
      const link = await mintLink(options as MintLinkOptions);
      return await forge.signed({ key: other.key, set: { 'agent-delegation': link } });
    },
  };
}

async function rightLink(forge: Forge, delegate: Held): Promise<MintLinkOptions> {
  const { text, options } = tokenOf(forge);
  return {
    delegator: forge.by.id,
    signer: forge.key,
    delegate: delegate.id,
    parent: await text,
    scope: options.scope,
    audience: forge.world.origin,
    lifetimeSeconds: 60,
    now: forge.now,
  };
}

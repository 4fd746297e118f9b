import { guardDefaults } from '@countersign/common';
import {
  type AuthorizationDetail,
  DelegationError,
  draftLink,
  type LinkDraft,
  mintLink,
  parseScope,
  type Scope,
  scopeCovers,
  spellingHint,
  undefinedHint,
} from '@countersign/delegation';
import { AgentError } from './agent-error.js';
import type { DelegationBundle } from './bundle.js';
import type { Credentials } from './credentials.js';
import { payloadOf } from './jwt-payload.js';
import { unlawful } from './lawful-link.js';
import type { Settings } from './options.js';

/** What to delegate, and for how long. */
export interface DelegateOptions {
  /** At least one scope: a list, or text separated by spaces. Each must be covered by what the agent itself was given. */
  readonly scope: Scope | string;
  /** Whole seconds, 1 to 3600. Default 300, or as long as what is handed on, if that is less. */
  readonly ttlSeconds?: number;
  /** The APIs at which it counts, as they name themselves. Default: those of what is handed on. */
  readonly audience?: string | readonly string[];
  /** Limits to single resources and actions (RFC 9396). Default: those of what is handed on. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** How often it may be handed on from there; 0 forbids it. Default: as often as what is handed on allows. */
  readonly maxHops?: number;
  /** JWK thumbprint of the one key with which the delegate may use it. Default: any of its registered keys. */
  readonly keyId?: string;
}

const optionNames: readonly string[] = [
  'scope',
  'ttlSeconds',
  'audience',
  'authorizationDetails',
  'maxHops',
  'keyId',
] satisfies readonly (keyof DelegateOptions)[];
/** Without a value, more would be handed on. */
const limitNames = [
  'audience',
  'authorizationDetails',
  'maxHops',
  'keyId',
] as const satisfies readonly (keyof DelegateOptions)[];

/** Mints one link behind what the agent acts with, and bundles both. */
export async function delegate(
  settings: Settings,
  { token, links }: Credentials,
  delegateId: string,
  options: DelegateOptions,
): Promise<DelegationBundle> {
  refuseUnknownOptions(options);
  const parent = links.at(-1) ?? token;
  const held = parent === undefined ? {} : payloadOf(parent);
  if (held === undefined) {
    throw impossible('the token is not a JWT, so that no link can follow it: ask its issuer to exchange it');
  }
  refuseWiderScope(options.scope, held['scope']);
  const { maxHops = 0 } = options;
  if (!Number.isSafeInteger(maxHops) || maxHops < 0) throw impossible("'maxHops' must be a whole number, at least 0");
  const now = Math.floor(settings.clock() / 1000);
  const draft: LinkDraft = {
    delegator: settings.id,
    delegate: delegateId,
    ...(parent !== undefined && { parent }),
    scope: options.scope,
    audience: audienceOf(options, held),
    lifetimeSeconds: lifetimeOf(options, held, now),
    now,
    ...(options.authorizationDetails !== undefined && { authorizationDetails: options.authorizationDetails }),
    ...(options.maxHops !== undefined && { maxHops: options.maxHops }),
    ...(options.keyId !== undefined && { delegateKeyThumbprint: options.keyId }),
  };
  const link = await explained(async () => {
    const problem = unlawful({ ...(token !== undefined && { token }), links }, draftLink(draft), settings.key.keyId);
    if (problem !== undefined) throw impossible(problem);
    return mintLink({ ...draft, signer: settings.key });
  });
  return Object.freeze({ version: 1, ...(token !== undefined && { token }), links: Object.freeze([...links, link]) });
}

/** With a misspelt `keyId`, or the value of a misspelt constant, every key of the delegate could use the link. */
function refuseUnknownOptions(options: DelegateOptions): void {
  if (typeof options !== 'object' || options === null) throw impossible("say at least what 'scope' is handed on");
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name));
  if (unknown !== undefined) {
    throw impossible(`unknown option '${unknown}'. ${spellingHint(unknown, optionNames, 'options')}`);
  }
  const missing = limitNames.find((name) => Object.hasOwn(options, name) && options[name] === undefined);
  if (missing !== undefined) throw impossible(undefinedHint(missing));
}

/** The API would refuse it too; here the caller learns why. The API judges a token without a scope. */
function refuseWiderScope(scope: Scope | string, held: unknown): void {
  const wanted = typeof scope === 'string' ? parseScope(scope) : { ok: true as const, scope };
  const given = parseScope(held);
  if (!wanted.ok || !Array.isArray(wanted.scope) || !given.ok) return;
  const wider = wanted.scope.find((one) => !scopeCovers(given.scope, one));
  if (wider !== undefined) throw impossible(`the scope '${wider}' is not covered by what this agent was given`);
}

function audienceOf({ audience }: DelegateOptions, held: Readonly<Record<string, unknown>>): string | string[] {
  const named = audience ?? held['aud'];
  if (typeof named === 'string') return named;
  if (Array.isArray(named)) return [...(named as string[])];
  throw impossible("say for which API, like audience: 'https://api.acme.dev'");
}

function lifetimeOf(
  { ttlSeconds = 300 }: DelegateOptions,
  held: Readonly<Record<string, unknown>>,
  now: number,
): number {
  const { maxLinkLifetimeSeconds: most } = guardDefaults;
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > most) {
    throw impossible(`'ttlSeconds' must be a whole number from 1 to ${most}`);
  }
  const expiry = held['exp'];
  const left = typeof expiry === 'number' ? Math.floor(expiry) - now : Infinity;
  if (left < 1) throw impossible('what this agent was given has expired');
  return Math.min(ttlSeconds, left);
}

async function explained(mint: () => Promise<string>): Promise<string> {
  try {
    return await mint();
  } catch (error) {
    if (error instanceof DelegationError) throw impossible(error.message, error);
    throw error;
  }
}

function impossible(why: string, cause?: unknown): AgentError {
  return new AgentError(
    'delegation_impossible',
    `delegate: ${why.replace(/[^.?]$/, '$&.')}`,
    cause === undefined ? undefined : { cause },
  );
}

import { type Agent, AgentError, createAgent, type DelegateOptions, type DelegationBundle } from '@countersign/agent';
import { guardDefaults, secureUrl } from '@countersign/common';
import { DelegationError, delegationRefusals } from '@countersign/delegation';
import { decodeJwt } from 'jose';
import { CliError, exitCodes } from '../cli-error.js';
import type { Io } from '../io.js';
import { printable } from '../text.js';
import { type HeldOptions, readHeld, signerWith } from './held.js';
import { readKeyFile } from './key-file.js';
import { readScopes } from './scopes.js';

export interface DelegateCommandOptions extends HeldOptions {
  readonly key: string;
  readonly id: string;
  readonly to: string;
  readonly scope: string;
  readonly audience: readonly string[];
  readonly ttl?: string;
  readonly maxHops?: string;
  readonly details?: string;
  readonly toKey?: string;
}

/** Mints one link and prints the bundle that the delegate needs. */
export async function delegate(options: DelegateCommandOptions, io: Io): Promise<void> {
  const held = await readHeld(options, io);
  if (options.audience.length === 0 && held.token === undefined && held.bundle === undefined) {
    throw new CliError('say for which API, like --audience https://api.acme.dev', exitCodes.usage);
  }
  const agent = await createAgent({ id: options.id, key: await readKeyFile(options.key, io), clock: io.clock });
  const bundle = await mint(signerWith(agent, held), options);
  io.out(`${JSON.stringify(bundle, null, 2)}\n`);
  if (held.token !== undefined && namesNobody(held.token, options.id)) {
    io.err(
      `countersign: warning: the token names no actor, and its subject is not ${printable(options.id)}: an API refuses ` +
        'this bundle. Exchange the token for one that names the agent (RFC 8693).\n',
    );
  }
  for (const audience of options.audience.filter((name) => !isUsual(name))) {
    io.err(
      `countersign: warning: --audience ${printable(audience)}: unless it is set otherwise, an API goes by its origin, ` +
        'like https://api.acme.dev, and refuses a link for anything else\n',
    );
  }
  io.err('Send this bundle to the delegate over TLS; without its key it is worth nothing.\n');
}

/** Whether it is the default name of an API: an origin. A path means that the operator configured another name. */
function isUsual(audience: string): boolean {
  const read = secureUrl(audience, 'loopback');
  return read.ok && (read.url.pathname !== '/' || audience === read.url.origin);
}

/** An agent cannot delegate a user's own token. Issuers may put a namespace before the ids of agents. */
function namesNobody(token: string, id: string): boolean {
  const { act, sub = '' } = decodeJwt(token);
  return act === undefined && !id.endsWith(sub);
}

async function mint(signer: Pick<Agent, 'delegate'>, options: DelegateCommandOptions): Promise<DelegationBundle> {
  try {
    return await signer.delegate(options.to, delegationOf(options));
  } catch (error) {
    if (error instanceof AgentError) throw new CliError(named(error), exitCodes.usage);
    throw error;
  }
}

/** The problem, with the name of the option to change. */
function named({ message, cause }: AgentError): string {
  const [code] = Object.entries(delegationRefusals).find(([, text]) => message.includes(text.slice(0, -1))) ?? [];
  const unknownMember = cause instanceof DelegationError && cause.code === 'option_unknown';
  const option = optionOf(unknownMember ? 'authorization_details' : (code ?? ''));
  const why = message.replace(/^delegate: /, '').replace(' of authorizationDetails', '');
  return option === undefined ? why : `${option}: ${why}`;
}

const optionFor: Readonly<Record<string, string>> = {
  scope: '--scope',
  audience: '--audience',
  expiry: '--ttl',
  authorization_details: '--details',
  max_hops: '--max-hops',
  confirmation: '--to-key',
  subject: '--to',
  delegate_is: '--to',
  issuer: '--id',
};

function optionOf(code: string): string | undefined {
  return Object.entries(optionFor).find(([about]) => code.startsWith(about))?.[1];
}

function delegationOf({ scope, audience, ttl, maxHops, details, toKey }: DelegateCommandOptions): DelegateOptions {
  return {
    scope: readScopes('--scope', scope),
    ...(audience.length > 0 && { audience }),
    ...(ttl !== undefined && { ttlSeconds: secondsOf(ttl) }),
    ...(maxHops !== undefined && { maxHops: integerOf('--max-hops', maxHops) }),
    ...(details !== undefined && { authorizationDetails: readDetails(details) }),
    ...(toKey !== undefined && { keyId: toKey }),
  };
}

function secondsOf(ttl: string): number {
  const { maxLinkLifetimeSeconds: most } = guardDefaults;
  const seconds = /^\d{1,4}$/.test(ttl) ? Number(ttl) : 0;
  if (seconds >= 1 && seconds <= most) return seconds;
  throw new CliError(`--ttl must be a whole number from 1 to ${most}`, exitCodes.usage);
}

function integerOf(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CliError(`${option} must be a whole number`, exitCodes.usage);
}

/** Minting validates the details. */
function readDetails(json: string): NonNullable<DelegateOptions['authorizationDetails']> {
  try {
    return JSON.parse(json) as NonNullable<DelegateOptions['authorizationDetails']>;
  } catch {
    throw new CliError('--details must be JSON, like \'[{"type":"Repo","identifier":"acme/api"}]\'', exitCodes.usage);
  }
}

import { type Agent, AgentError, createAgent, type DelegateOptions, type DelegationBundle } from '@countersign/agent';
import { CliError, exitCodes } from '../cli-error.js';
import type { Io } from '../io.js';
import { type HeldOptions, readHeld, signerWith } from './held.js';
import { readKeyFile } from './key-file.js';

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
  const agent = await createAgent({ id: options.id, key: await readKeyFile(options.key, io), clock: io.clock });
  const bundle = await mint(signerWith(agent, held), options);
  io.out(`${JSON.stringify(bundle, null, 2)}\n`);
  io.err('Send this bundle to the delegate over TLS; without its key it is worth nothing.\n');
}

async function mint(signer: Pick<Agent, 'delegate'>, options: DelegateCommandOptions): Promise<DelegationBundle> {
  try {
    return await signer.delegate(options.to, delegationOf(options));
  } catch (error) {
    if (error instanceof AgentError) throw new CliError(error.message, exitCodes.usage);
    throw error;
  }
}

function delegationOf({ scope, audience, ttl, maxHops, details, toKey }: DelegateCommandOptions): DelegateOptions {
  return {
    scope: scope.split(/[\s,]+/).filter((one) => one !== ''),
    ...(audience.length > 0 && { audience }),
    ...(ttl !== undefined && { ttlSeconds: wholeNumber('--ttl', ttl) }),
    ...(maxHops !== undefined && { maxHops: wholeNumber('--max-hops', maxHops) }),
    ...(details !== undefined && { authorizationDetails: readDetails(details) }),
    ...(toKey !== undefined && { keyId: toKey }),
  };
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CliError(`${option} must be a whole number`, exitCodes.usage);
}

/** Whether they are details is for the minting to say. */
function readDetails(json: string): NonNullable<DelegateOptions['authorizationDetails']> {
  try {
    return JSON.parse(json) as NonNullable<DelegateOptions['authorizationDetails']>;
  } catch {
    throw new CliError('--details must be JSON, like \'[{"type":"Repo","identifier":"acme/api"}]\'', exitCodes.usage);
  }
}

import { readFile } from 'node:fs/promises';
import { type Agent, type AgentKey, type AgentRegistration, agentsFromObjects } from '@countersign/core';
import type { KeyObject } from 'node:crypto';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { CliError, exitCodes, messageOf } from '../../cli-error.js';
import { show } from '../../text.js';
import { keyFacts } from '../key.js';

/** The trusted keys, from the files that were given. */
export interface Trust {
  /** Absent without an agents.json. */
  readonly agents?: KnownAgents;
  /** Resolves to the problem of a token that does not verify; absent without keys of its issuer. */
  readonly verifyToken?: (token: string) => Promise<string | undefined>;
}

export interface KnownKey {
  readonly agent: Agent;
  readonly key: AgentKey;
}

export interface KnownAgents {
  /** The agent of a key. */
  readonly byKey: (thumbprint: string) => KnownKey | undefined;
  /** Every key of an agent. */
  readonly byId: (id: string) => readonly KnownKey[];
}

// Public-key algorithms only: with a shared secret, every verifier could have signed.
const tokenAlgorithms = 'EdDSA Ed25519 ES256 ES384 ES512 PS256 PS384 PS512 RS256 RS384 RS512'.split(' ');

/** @throws CliError if a file is invalid. */
export async function readTrust(files: { readonly agents?: string; readonly issuerJwks?: string }): Promise<Trust> {
  return {
    ...(files.agents !== undefined && { agents: await readAgents(files.agents) }),
    ...(files.issuerJwks !== undefined && { verifyToken: await readIssuerKeys(files.issuerJwks) }),
  };
}

async function readAgents(file: string): Promise<KnownAgents> {
  const json = await readJson('--agents', file);
  const list = Array.isArray(json) ? json : (json as { readonly agents?: unknown } | null)?.agents;
  if (!Array.isArray(list)) {
    throw new CliError(`--agents: ${file} is not an agents.json, a list of entries: [ … ]`, exitCodes.usage);
  }
  try {
    const directory = agentsFromObjects(list as AgentRegistration[]);
    const keys = list.flatMap(thumbprintsIn).flatMap((thumbprint): KnownKey[] => {
      const found = directory.findByThumbprint(thumbprint);
      return 'kind' in found && found.kind === 'found' ? [found] : [];
    });
    return {
      byKey: (thumbprint) => keys.find(({ key }) => key.thumbprint === thumbprint),
      byId: (id) => keys.filter(({ agent }) => agent.id === id),
    };
  } catch (error) {
    throw new CliError(`--agents: ${messageOf(error)}`, exitCodes.usage);
  }
}

function thumbprintsIn(registration: Readonly<Record<string, unknown>>): string[] {
  const { publicKey, public_key: printed, jwk, keys } = registration;
  const several = Array.isArray(keys) ? (keys as Readonly<Record<string, unknown>>[]) : [];
  const all = [publicKey, printed, jwk, ...several.map((key) => key['publicKey'] ?? key['public_key'] ?? key['jwk'])];
  return all.flatMap((key) => (key === undefined ? [] : (keyFacts(key).thumbprint ?? [])));
}

async function readIssuerKeys(file: string): Promise<NonNullable<Trust['verifyToken']>> {
  const json = await readJson('--issuer-jwks', file);
  try {
    const keys = createLocalJWKSet(json as JSONWebKeySet);
    const verify = (token: string): Promise<unknown> => compactVerify(token, keys, { algorithms: tokenAlgorithms });
    return async (token) => {
      if (await verifies(() => verify(token))) return undefined;
      return `does not verify with the given keys${unknownKeyId(token, keys.jwks())}`;
    };
  } catch {
    throw new CliError(`--issuer-jwks: ${file} is not a JWK Set`, exitCodes.usage);
  }
}

/** For the problem of a token whose `kid` no key has. */
function unknownKeyId(token: string, { keys }: JSONWebKeySet): string {
  const { kid } = decodeProtectedHeader(token);
  if (kid === undefined || keys.some((key) => key.kid === kid)) return '';
  const known = keys.flatMap((key) => (key.kid === undefined ? [] : show(key.kid)));
  return `: its kid ${show(kid)} is none of theirs${known.length === 0 ? ': they have none' : `, which are ${known.join(', ')}`}`;
}

/** Whether the key signed the link. RFC 9864: two names of one algorithm. */
export function linkVerifies(link: string, key: KeyObject): Promise<boolean> {
  return verifies(() => compactVerify(link, key, { algorithms: ['EdDSA', 'Ed25519'] }));
}

async function verifies(verification: () => Promise<unknown>): Promise<boolean> {
  try {
    await verification();
    return true;
  } catch {
    return false;
  }
}

async function readJson(option: string, file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (error) {
    throw new CliError(`${option}: ${messageOf(error)}`);
  }
}

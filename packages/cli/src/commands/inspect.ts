import { stat } from 'node:fs/promises';
import { CliError, exitCodes } from '../cli-error.js';
import { chainReport, chainSections } from '../inspect/chain/chain-report.js';
import { type ChainFacts, chainFacts } from '../inspect/chain/facts.js';
import { looksLikeRequest, type Presented, readBundle, readRequest } from '../inspect/chain/presented.js';
import { readTrust } from '../inspect/chain/trust.js';
import { explainJwk, explainPrivateKey, explainRawKey, type JsonObject } from '../inspect/key.js';
import { hintFor } from '../hints/index.js';
import { explainProblem, looksLikeProblem } from '../inspect/refusal.js';
import { explainRegistrations, looksLikeRegistration } from '../inspect/registration.js';
import { type Report, renderReport } from '../inspect/report.js';
import { explainSignatureInput, looksLikeSignatureInput } from '../inspect/signature-input.js';
import { explainToken, isLink, looksLikeToken } from '../inspect/token.js';
import { coloursFor, type Io } from '../io.js';
import { printableJson } from '../text.js';

const maxLength = 1024 * 1024;
const kinds =
  'a JWT, a delegation bundle, the head of a request, a Signature-Input, a refusal, a key or an agents.json entry';

export interface InspectOptions {
  readonly agents?: string;
  readonly issuerJwks?: string;
  readonly json: boolean;
}

/** Detects the kind of the value and explains it. Returns the exit code. */
export async function inspect(value: string, options: InspectOptions, io: Io): Promise<number> {
  const text = (value === '-' ? Buffer.from(await io.stdin()).toString('utf8') : value).trim();
  if (text === '') throw new CliError('nothing to inspect', exitCodes.usage);
  if (text.length > maxLength) throw new CliError('too long to inspect (over 1 MiB)', exitCodes.usage);
  const now = Math.floor(io.clock() / 1000);
  const presented = presentedIn(text);
  const facts = typeof presented === 'object' ? await chainFacts(presented, await readTrust(options), now) : undefined;
  const report = typeof presented === 'string' ? presented : reportOf(text, presented, facts, now);
  // Never repeat the input here: it may be a mistyped secret.
  if (typeof report === 'string') throw new CliError(`${report}${await fileHint(value)}`, exitCodes.usage);
  const ok = facts?.ok ?? report.ok !== false;
  const json = { ...(facts ?? report), ok };
  io.out(options.json ? `${printableJson(json)}\n` : renderReport(report, coloursFor(io.colour.out)));
  return ok ? exitCodes.ok : exitCodes.unproven;
}

/** The name of a file is not a secret. */
async function fileHint(value: string): Promise<string> {
  if (value === '-') return '';
  const isFile = await stat(value).then(
    (found) => found.isFile(),
    () => false,
  );
  return isFile ? ` Did you mean countersign inspect - < ${value}?` : ' (To read a file: countersign inspect - < FILE)';
}

/** The chain in the value, if any; a string is the reason why it does not parse. */
function presentedIn(text: string): Presented | string | undefined {
  if (text.startsWith('{')) {
    const json = parseJson(text);
    return json !== undefined && !isList(json) && 'links' in json ? readBundle(json) : undefined;
  }
  if (looksLikeRequest(text)) return readRequest(text);
  const token = bare(text);
  if (!looksLikeToken(token)) return undefined;
  if (isLink(token)) return { kind: 'link', links: [token], problems: [] };
  return { kind: 'token', token, links: [], problems: [] };
}

/** For a token alone, its claims come first. */
function reportOf(
  text: string,
  presented: Presented | undefined,
  facts: ChainFacts | undefined,
  now: number,
): Report | string {
  const chain = facts === undefined ? undefined : chainReport(facts);
  if (chain !== undefined && presented?.kind !== 'token') return chain;
  const report = explain(text, now);
  if (facts === undefined || facts.members.length === 0 || typeof report === 'string') return report;
  const { caution: _, ...verified } = report;
  const said = facts.problems.filter((problem) => /signature|refuses the chain|cover nothing/.test(problem));
  return {
    ...(facts.verified ? verified : report),
    sections: [...report.sections, ...chainSections(facts)],
    warnings: [...report.warnings, ...said],
  };
}

function bare(given: string): string {
  return given.replace(/^(?:(?:authorization|signature-input)\s*:\s*)?(?:bearer\s+)?/i, '');
}

/** The report, or the reason why there is none. */
function explain(given: string, now: number): Report | string {
  if (given.startsWith('{') || given.startsWith('[')) return explainJson(given);
  // A refusal code alone, as quoted from a log.
  if (hintFor(given) !== undefined) return explainProblem({ code: given });
  if (given.includes('-----BEGIN')) return explainPrivateKey(given);
  const text = bare(given);
  if (looksLikeSignatureInput(text)) return explainSignatureInput(text, now);
  if (looksLikeToken(text))
    return explainToken(text, now) ?? 'three parts like a token, but its header or payload is not JSON';
  if (/^[\w-]+(?:\.[\w-]*){4}$/.test(text)) return 'an encrypted token (JWE): only its receiver can read it';
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text && bytes.length === 32) return explainRawKey(text);
  if (bytes.toString('base64') === text && bytes.length === 64) return explainPrivateKey(text);
  return `cannot tell what this is: not ${kinds}.`;
}

function explainJson(text: string): Report | string {
  const json = parseJson(text);
  if (json === undefined) return 'this looks like JSON, but does not parse';
  if (isList(json)) return explainList(json);
  const { agents, keys } = json;
  if (Array.isArray(agents)) return explainList(agents);
  if ('kty' in json) return explainJwk(json);
  if (looksLikeRegistration(json)) return explainRegistrations([json]);
  if (Array.isArray(keys)) return explainList(keys.map(asRegistration));
  if (looksLikeProblem(json)) return explainProblem(json);
  return 'cannot tell what this JSON is: not a bundle, a refusal, a key or an agents.json entry';
}

function explainList(entries: readonly unknown[]): Report | string {
  return entries.length === 0 ? 'an empty list: no agents' : explainRegistrations(entries);
}

/** A member of a JWK Set: the key itself has the id and the capabilities. */
function asRegistration(key: unknown): unknown {
  if (typeof key !== 'object' || key === null) return key;
  const { agent_id: id, kid, capabilities, ...jwk } = key as JsonObject;
  return { id: id ?? kid, jwk, capabilities };
}

function isList(json: JsonObject | readonly unknown[]): json is readonly unknown[] {
  return Array.isArray(json);
}

function parseJson(text: string): JsonObject | readonly unknown[] | undefined {
  try {
    // It starts with a brace or a bracket, so it parses to an object or a list, or not at all.
    return JSON.parse(text) as JsonObject | readonly unknown[];
  } catch {
    return undefined;
  }
}

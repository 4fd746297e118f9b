import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { directoryVersion, publishedAgents, signatureDirectory } from '../agents/directory.js';
import type { AgentRegistry } from '../agents/registry.js';
import { createStatusLists, type StatusListOptions } from '../delegation/status-list.js';
import { signClaims } from '../keys/sign-claims.js';
import type { Store } from '../storage/store.js';
import type { Answer } from './answer.js';

/** What anybody can read: agents with their keys, and which tokens are revoked. */
export interface Published {
  /** The signed directory that guards follow with `agentsFromAuthority`. */
  directory(request: IncomingMessage): Promise<Answer>;
  /** An HTTP Message Signatures Directory. */
  signatureKeys(request: IncomingMessage): Promise<Answer>;
  /** Undefined: there is no such list. */
  statusList(list: number): Promise<Answer | undefined>;
}

const signatureKeysSeconds = 30;
const statusListSeconds = 15;
/** The signed directory is fetched as often as a suspension must take effect: a cache on the way may delay that so long. */
const directorySeconds = 5;
/** It counts so long while the authority cannot be reached. */
const directoryLifetimeSeconds = 3600;
/** It is signed anew so often, at the same moments in every process: equal directories are equal texts. */
const signingPeriod = 300;

/** Guards read at most 10 000 keys and 8 MiB, and refuse all agents an hour after a directory was larger. */
const many = { keys: 9000, bytes: 7 * 1024 ** 2 };

export interface PublishedOptions extends StatusListOptions {
  readonly agents: AgentRegistry;
  readonly store: Store;
  readonly onTrouble: (message: string) => void;
}

export function createPublished(options: PublishedOptions): Published {
  const readKeys = shared(createKeyDirectory(options));
  const readList = createStatusLists(options);
  const readDirectory = shared(createSignedDirectory(options));

  return {
    directory: async (request) =>
      answer(await readDirectory(0), request, 'application/agent-directory+jwt', directorySeconds),
    signatureKeys: async (request) =>
      answer(await readKeys(0), request, 'application/http-message-signatures-directory+json', signatureKeysSeconds),
    async statusList(list) {
      const body = await readList(list);
      if (body === undefined) return undefined;
      const headers = {
        'content-type': 'application/statuslist+jwt',
        'cache-control': `public, max-age=${statusListSeconds}`,
      };
      return { status: 200, headers, body };
    },
  };
}

/** The keys for Web Bot Auth, read anew when an agent or a key has changed, and when one of them ends. */
function createKeyDirectory({ store, agents, now }: PublishedOptions): () => Promise<Document> {
  let last: { readonly version: number; readonly until: number; readonly document: Document } | undefined;
  return async () => {
    const [version, at] = [await directoryVersion(store), now()];
    if (last?.version !== version || last.until <= at) {
      const { keys, until } = signatureDirectory(await agents.listPublished(), at);
      last = { version, until, document: documentWithTag(JSON.stringify({ keys })) };
    }
    return last.document;
  };
}

/** Signs the directory when it has changed, and once in a period. */
function createSignedDirectory(options: PublishedOptions): () => Promise<Document> {
  const { issuer, store, agents, keys, now, onTrouble } = options;
  let last: { readonly of: string; readonly document: Document } | undefined;
  return async () => {
    // Before the agents: a directory may have a change already that its version does not count, but never lack one.
    const version = await directoryVersion(store);
    const at = now();
    const key = keys.current(at);
    const iat = at - (at % signingPeriod);
    const of = `${version} ${iat} ${key.kid}`;
    if (last?.of !== of) {
      const exp = iat + signingPeriod + directoryLifetimeSeconds;
      const published = publishedAgents(await agents.listPublished(), iat);
      const claims = { iss: issuer, iat, exp, version, agents: published };
      const text = await signClaims(key, 'agent-directory+jwt', claims);
      const count = published.reduce((sum, each) => sum + each.keys.length, 0);
      if (count > many.keys || text.length > many.bytes) {
        onTrouble(
          `the agent directory has ${count} keys and ${text.length} bytes; guards read at most 10000 and 8388608. Revoke agents that are gone`,
        );
      }
      last = { of, document: documentWithTag(text) };
    }
    return last.document;
  };
}

interface Document {
  readonly text: string;
  readonly tag: string;
}

function documentWithTag(text: string): Document {
  return { text, tag: `"${createHash('sha256').update(text).digest('base64url')}"` };
}

function answer({ text, tag }: Document, request: IncomingMessage, type: string, seconds: number): Answer {
  const headers = { etag: tag, 'cache-control': `public, max-age=${seconds}` };
  // A cache that compresses makes the tag a weak one (RFC 9110 §8.8.3).
  if (request.headers['if-none-match']?.replace(/^W\//, '') === tag) return { status: 304, headers };
  return { status: 200, headers: { ...headers, 'content-type': type }, body: text };
}

/** Of all that ask for the same at one time, one does the work: a flood costs no more than one after the other. */
function shared<Result>(work: (of: number) => Promise<Result>): (of: number) => Promise<Result> {
  const flights = new Map<number, Promise<Result>>();
  return (of) => {
    const known = flights.get(of);
    if (known !== undefined) return known;
    const flight = work(of).finally(() => flights.delete(of));
    flights.set(of, flight);
    return flight;
  };
}

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeCase } from './cases.js';
import type { Seen } from './echo.js';
import { framingOf } from './framing.js';
import { completeDraft, drafts, signDraft } from './kinds.js';
import { judge } from './oracle.js';
import type { Original } from './original.js';
import { Random } from './random.js';
import { authority, first, userId } from './world.js';

const now = 1_764_000_000;

function originalOf(kind: string): Original {
  const random = new Random(1, 1);
  const make = drafts[kind];
  if (make === undefined) throw new Error(`no kind ${kind}`);
  return signDraft(completeDraft(make(random, now), random, now));
}

/** The view of a handler of a request that arrived unchanged. */
function honestView({ request, identity }: Original): Seen {
  const headers = Object.fromEntries(request.fields.map(([name, value]) => [name.toLowerCase(), value]));
  if (identity === null) throw new Error('nobody may accept this');
  return {
    ...identity,
    method: request.method,
    target: request.target,
    urlPath: request.target.replace(/\?.*/, ''),
    headers,
    bodyHash: createHash('sha256').update(request.body).digest('hex'),
    parsed: null,
  };
}

function problemsOf(seen: Seen, original: Original): readonly string[] {
  return judge({ status: 200, body: JSON.stringify(seen), last: false }, [original], false).problems;
}

function problemsOfAnswer(status: number, body: string): readonly string[] {
  return judge({ status, body, last: false }, [], false).problems;
}

function bytesOfCase(index: number): string {
  return makeCase(7, index, now).bytes.toString('latin1');
}

describe('the oracle of the fuzz', () => {
  const original = originalOf('conditional');
  const view = honestView(original);
  const headers = (changed: Readonly<Record<string, string | undefined>>) => ({
    headers: { ...view.headers, ...changed },
  });

  it.each(Object.keys(drafts).filter((kind) => originalOf(kind).request.target.startsWith('/raw/')))(
    'finds nothing wrong when a handler sees what was signed: %s',
    (kind) => {
      const honest = originalOf(kind);
      expect(problemsOf(honestView(honest), honest)).toEqual([]);
    },
  );

  it.each<[string, Partial<Seen>, RegExp]>([
    ['another method', { method: 'GET' }, /^method/],
    ['another path', { target: '/raw/other', urlPath: '/raw/other' }, /^path/],
    ['another query', { target: `${original.request.target}?a=1` }, /^query/],
    ['a path that a router by URL shortens [H2]', { urlPath: '/records' }, /^dot segments/],
    ['another host [A13]', headers({ host: `other.${authority}` }), /^host/],
    ['no line of a covered field [H1]', headers({ 'x-dry-run': undefined }), /^field x-dry-run/],
    ['a covered field cut short [H4]', headers({ 'if-unmodified-since': 'Sat' }), /^field if-unmodified-since/],
    ['a credential that nobody sent [A18]', headers({ authorization: 'Bearer x' }), /^field authorization/],
    ['another body [A4]', { bodyHash: '' }, /^body/],
    ['another actor', { actor: 'agent-thief' }, /^actor/],
    ['another subject', { subject: userId }, /^subject/],
    ['another chain [C3]', { chain: [userId, first.id] }, /^chain/],
    ['more scope [C6]', { scope: ['things:admin'] }, /^scope/],
  ])('reports %s', (_title, change, problem) => {
    expect(problemsOf({ ...view, ...change }, original)).toEqual([expect.stringMatching(problem)]);
  });

  it('reports a coding of the body that was added [H3]', () => {
    const honest = originalOf('two digests');
    const view = honestView(honest);
    const seen = { ...view, headers: { ...view.headers, 'content-encoding': 'gzip' } };
    expect(problemsOf(seen, honest)).toEqual([expect.stringMatching(/^field content-encoding/)]);
  });

  it('reports that a request was accepted which its signer had spoiled [H6]', () => {
    expect(problemsOf(view, { ...original, identity: null, altered: 'wrongToken' })).toEqual([
      'accepted after wrongToken',
    ]);
  });

  it('reports faults of the server and answers without a known code', () => {
    expect(problemsOfAnswer(500, '')).toEqual(['status 500 plain 500', 'unknown answer 500 plain 500']);
    expect(problemsOfAnswer(401, '{"type":"https://countersign.github.io/countersign/refusals/no_such_code"}')).toEqual(
      ['unknown answer 401 no_such_code'],
    );
    expect(
      problemsOfAnswer(401, '{"type":"https://countersign.github.io/countersign/refusals/signature_invalid"}'),
    ).toEqual([]);
    expect(problemsOfAnswer(404, '')).toEqual([]);
  });
});

it('a case depends on seed, number and time alone', () => {
  const indexes = Array.from({ length: 100 }, (_, index) => index);
  expect(indexes.map(bytesOfCase)).toEqual(indexes.map(bytesOfCase));
  expect(new Set(indexes.map(bytesOfCase)).size).toBe(100);
});

it.each<[string, string, ReturnType<typeof framingOf>['rest'], number]>([
  ['a request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'nothing', 1],
  ['two requests', 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n', 'nothing', 2],
  ['a body that is whole', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na', 'nothing', 1],
  ['a body that lacks a byte', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na', 'incomplete', 0],
  ['a body with a byte too many', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nab', 'incomplete', 1],
  ['chunks', 'PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n', 'nothing', 1],
  [
    'a chunk that lacks bytes',
    'PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na',
    'incomplete',
    0,
  ],
  [
    'two framings',
    'PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n',
    'doubtful',
    0,
  ],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n', 'doubtful', 0],
  ['a header section without an end', 'GET / HTTP/1.1\r\nHost: x\r\n', 'incomplete', 0],
])('knows where %s ends', (_title, text, rest, whole) => {
  expect(framingOf(Buffer.from(text))).toEqual({ whole, rest, head: false });
});

import type { RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { says, startStubPdp, type StubPdp } from '../../../test/support/stub-pdp.js';
import { authzen } from '../src/authzen.js';
import { query } from './query.js';

interface Sent {
  readonly id: string;
  readonly properties?: object;
}

const row = (id: string, attributes?: Record<string, unknown>) => ({
  type: 'Repo',
  id,
  ...(attributes && { attributes }),
});
const ask = async (stub: StubPdp, rows: readonly ReturnType<typeof row>[], signal?: AbortSignal) => {
  const decisions = await authzen({ url: stub.url, failuresBeforeOpen: 1 }).decideMany?.(query, rows, signal);
  return decisions?.map(({ decision, cause }) => `${decision} ${cause}`);
};
/** The resources of each request. */
const asked = (stub: StubPdp): readonly (readonly Sent[])[] =>
  stub.asked.map(({ body }) => {
    const { evaluations, resource } = body as { evaluations?: readonly { resource: Sent }[]; resource: Sent };
    return evaluations?.map((evaluation) => evaluation.resource) ?? [resource];
  });

/** Permits all, but answers `status` if a resource has an attribute without a name. */
function refusesEmptyNames(stub: () => StubPdp, status: number): RequestListener {
  return (request, response) => {
    const resources = asked(stub()).at(-1) ?? [];
    const isRefused = resources.some(({ properties = {} }) => Object.hasOwn(properties, ''));
    const isBatch = request.url?.endsWith('evaluations') === true;
    const document = isBatch ? { evaluations: resources.map(() => ({ decision: true })) } : { decision: true };
    says(document, isRefused ? status : 200)(request, response);
  };
}

async function startPicky(status = 400): Promise<StubPdp> {
  const stub: StubPdp = await startStubPdp(refusesEmptyNames(() => stub, status));
  return stub;
}

describe('a resource that the server does not take', () => {
  it.each([400, 413, 422, 500])('hides no other of its batch, which is answered %i [M6]', async (status) => {
    const stub = await startPicky(status);
    const rows = Array.from({ length: 50 }, (_, at) => row(`acme/${at}`, at === 17 ? { '': 1 } : undefined));
    const expected = rows.map((_row, at) => (at === 17 ? 'deny error' : 'allow policy'));
    expect(await ask(stub, rows)).toEqual(expected);
    expect(stub.asked).toHaveLength(51);
  });

  it.each([401, 403, 404])('is not looked for after %i, which speaks of the server', async (status) => {
    const stub = await startPicky(status);
    expect(await ask(stub, [row('acme/a'), row('acme/b', { '': 1 })])).toEqual(['deny error', 'deny error']);
    expect(stub.asked).toHaveLength(1);
  });

  it('is not looked for after the list has ended', async () => {
    const ended = new AbortController();
    const stub = await startStubPdp((request, response) => {
      ended.abort(new Error('ended'));
      says({}, 400)(request, response);
    });
    await expect(ask(stub, [row('acme/a'), row('acme/b')], ended.signal)).rejects.toThrow('ended');
    expect(stub.asked).toHaveLength(1);
  });
});

describe('resources of one type and id', () => {
  it('are asked about in two batches if they differ, as Cerbos answers by type and id alone [M6]', async () => {
    const stub = await startPicky();
    const rows = [row('acme/a', { of: 1 }), row('acme/b'), row('acme/a', { of: 2 }), row('acme/c'), row('acme/b')];
    expect(await ask(stub, rows)).toEqual(rows.map(() => 'allow policy'));
    expect(asked(stub).map((batch) => batch.map(({ id }) => id))).toEqual([['acme/a', 'acme/b', 'acme/c'], ['acme/a']]);
  });

  it('share one evaluation in the whole list if they are written alike [M7]', async () => {
    const stub: StubPdp = await startStubPdp((request, response) => {
      const evaluations = (asked(stub).at(-1) ?? []).map(({ id }) => ({ decision: id !== 'acme/api' }));
      says({ evaluations })(request, response);
    });
    const others = Array.from({ length: 120 }, (_, at) => row(`acme/${at}`));
    const rows = others.flatMap((other) => [row('acme/api', { private: true }), other]);
    expect(await ask(stub, rows)).toEqual(others.flatMap(() => ['deny policy', 'allow policy']));
    expect(asked(stub).map((batch) => batch.length)).toEqual([50, 50, 21]);
  });

  it('that differ share their batches with those of other names [M7]', async () => {
    const stub = await startPicky();
    const names = Array.from({ length: 60 }, (_, at) => `acme/${at}`);
    const rows = names.flatMap((id) => [row(id, { of: 1 }), row(id, { of: 2 }), row(id, { of: 3 })]);
    expect(await ask(stub, rows)).toEqual(rows.map(() => 'allow policy'));
    const batches = asked(stub).map((batch) => batch.map(({ id }) => id));
    expect(batches.map((batch) => batch.length)).toEqual([50, 50, 50, 10, 10, 10]);
    expect(batches.map((batch) => new Set(batch).size)).toEqual([50, 50, 50, 10, 10, 10]);
  });

  it('get the answer to their own attributes from whichever batch they are in', async () => {
    const stub: StubPdp = await startStubPdp((request, response) => {
      const evaluations = (asked(stub).at(-1) ?? []).map(({ properties }) => ({
        decision: (properties as { of: number }).of % 2 === 0,
      }));
      says({ evaluations })(request, response);
    });
    const marks = [1, 2, 2, 1, 4, 3, 1, 2];
    const answers = await ask(
      stub,
      marks.map((of) => row('acme/a', { of })),
    );
    expect(answers).toEqual(marks.map((of) => (of % 2 === 0 ? 'allow policy' : 'deny policy')));
    expect(stub.asked).toHaveLength(4);
  });
});

describe('large resources', () => {
  it('share a batch of at most 512 KiB [M7]', async () => {
    const stub = await startPicky();
    // In UTF-8, each takes twice as many bytes as characters.
    const rows = Array.from({ length: 20 }, (_, at) => row(`acme/${at}`, { text: 'é'.repeat(30_000) }));
    expect(await ask(stub, rows)).toEqual(rows.map(() => 'allow policy'));
    expect(asked(stub).map((batch) => batch.length)).toEqual([8, 8, 4]);
    expect(asked(stub).flatMap((batch) => batch.map(({ id }) => id))).toEqual(rows.map(({ id }) => id));
  });

  it('are denied beyond 65,536 characters, hide no other and are no outage [M7]', async () => {
    const stub = await startPicky();
    const long = row('acme/long', { text: 'x'.repeat(65_536) });
    const engine = authzen({ url: stub.url, failuresBeforeOpen: 1 });
    expect(await engine.decide({ ...query, resource: long })).toMatchObject({ decision: 'deny', cause: 'error' });
    expect(stub.asked).toEqual([]);
    expect(await ask(stub, [row('acme/a'), long, row('acme/b')])).toEqual([
      'allow policy',
      'deny error',
      'allow policy',
    ]);
    expect(asked(stub).map((batch) => batch.length)).toEqual([2]);
  });

  it('are as long in a batch as alone', async () => {
    const stub = await startPicky();
    const engine = authzen({ url: stub.url });
    await engine.decide({ ...query, resource: row('acme/a', { text: '' }) });
    const room = 65_536 - JSON.stringify(stub.asked[0]?.body).length;
    for (const [length, cause] of [
      [room, 'policy'],
      [room + 1, 'error'],
    ] as const) {
      const resource = row('acme/a', { text: 'x'.repeat(length) });
      expect(await engine.decide({ ...query, resource })).toMatchObject({ cause });
      expect(await engine.decideMany?.(query, [resource])).toMatchObject([{ cause }]);
    }
  });
});

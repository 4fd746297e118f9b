import { createAgent, loadAgentKey } from '@countersign/agent';
import { type AgentDirectory, agentsFromObjects, memoryReplayStore, type ReplayStore } from '@countersign/core';
import { expect, it, vi } from 'vitest';
import { type Api, type ApiOptions, expectProblem, onEveryHost } from '../support/api.js';
import { patiently } from '../support/patiently.js';
import { type RawRequest, serialized } from '../support/signed-request.js';
import { agents, reviewer, reviewerId } from '../support/world.js';

const now = () => Math.floor(Date.now() / 1000);
const tenBytes = '0123456789';

const startedAt = (time: number): ApiOptions => ({
  config: { origin: 'https://api.acme.dev' },
  start: { guard: { clock: () => time } },
});

/** The header section with an unsigned length, and the body without its end. */
function unfinished(request: RawRequest, length: number): Buffer {
  const fields = request.fields.map(([name, value]): [string, string] =>
    name.toLowerCase() === 'content-length' ? [name, String(length)] : [name, value],
  );
  return serialized({ ...request, fields, body: request.body.subarray(0, -1) });
}

onEveryHost('The expiry of a signature is checked when its nonce is reserved', (api) => {
  const upload = () => api.signed({ method: 'PUT', target: '/upload', body: tenBytes });

  it('and refuses a signature that expires during the key lookup [J1]', async () => {
    const at = now();
    let time = at;
    let lookupEnds = at;
    const held = agentsFromObjects(agents);
    const slow: AgentDirectory = {
      findByThumbprint(thumbprint) {
        time = lookupEnds;
        return held.findByThumbprint(thumbprint);
      },
      statusOf: (id) => held.statusOf(id),
    };
    const timed = await api.variant({ start: { guard: { clock: () => time * 1000, agents: slow } } });
    const request = timed.signed({ now: at });
    await timed.accepts(request, 200);
    // The copy arrives in the last second and the lookup takes two, so the store may drop the nonce.
    time = at + 64;
    lookupEnds = at + 66;
    await timed.refuses(request, 401, 'signature_expired');
  });

  it('and refuses a signature that expires during the reservation [J1]', async () => {
    const at = now();
    let time = at;
    const forgetful: ReplayStore = {
      reserve() {
        time = at + 65;
        return 'reserved';
      },
    };
    const timed = await api.variant({ start: { guard: { clock: () => time * 1000, replay: forgetful } } });
    await timed.refuses(timed.signed({ now: at }), 401, 'signature_expired');
  });

  it('and its copies are refused before their bodies arrive, for any stated length [I3]', async () => {
    const request = upload();
    await api.accepts(request, 200);
    for (let copy = 0; copy < 20; copy++) {
      const connection = await api.connect();
      connection.write(unfinished(request, 15_000_001));
      expectProblem(await connection.read(), 401, 'signature_replayed');
      connection.destroy();
    }
  });

  it('and its copies are refused while its own body arrives [I3]', async () => {
    const store = memoryReplayStore();
    const reserve = vi.fn<ReplayStore['reserve']>((proof) => store.reserve(proof));
    const watched = await api.variant({ start: { guard: { replay: { reserve } } } });
    const request = watched.signed({ method: 'PUT', target: '/upload', body: tenBytes });
    const [first, copy] = [await watched.connect(), await watched.connect()];
    await watched.recordedOutcomes(1, async () => {
      first.write(unfinished(request, tenBytes.length));
      await vi.waitFor(() => expect(reserve).toHaveBeenCalledOnce(), patiently);
      copy.write(unfinished(request, 15_000_001));
      expectProblem(await copy.read(), 401, 'signature_replayed');
      first.write(Buffer.from(tenBytes.slice(-1)));
      expect((await first.read()).status).toBe(200);
    });
    first.destroy();
    copy.destroy();
  });
});

onEveryHost('A restart forgets no signature', (api) => {
  /** One API, and the same again after a restart at the given moment. */
  async function restarted(first: number, second: number): Promise<readonly [Api, Api]> {
    return [await api.variant(startedAt(first)), await api.variant(startedAt(second))];
  }

  it('refuses a copy of a request served before it, and accepts a new signature [J2]', async () => {
    const start = now() * 1000;
    const [before, after] = await restarted(start, start + 1900);
    const at = (seconds: number) => ({ host: 'api.acme.dev', now: start / 1000 + seconds });
    const request = before.signed(at(0));
    await before.accepts(request, 200);
    const { response } = await after.refuses(request, 503, 'replay_unknown');
    expect(response.headers).toMatchObject({ 'retry-after': '1' });
    expect(response.headers).not.toHaveProperty('www-authenticate');
    await after.accepts(after.signed(at(1)), 200);
  });

  it('makes the agent client sign again, once, when its call was in transit', async () => {
    const pem = reviewer.privateKey.export({ format: 'pem', type: 'pkcs8' });
    const signedBefore = vi.fn(Date.now).mockReturnValueOnce((now() - 30) * 1000);
    const agent = await createAgent({ id: reviewerId, key: loadAgentKey(pem), clock: signedBefore });
    const call = () => agent.fetch(`${api.url}${api.at('/upload')}`, { method: 'PUT', body: tenBytes });
    expect(await api.recorded(call)).toMatchObject({ bytes: tenBytes.length });
    expect(signedBefore).toHaveBeenCalledTimes(2);
    expect(api.records.filter(({ code }) => code === 'replay_unknown')).toHaveLength(1);
  });
});

import { expect, it } from 'vitest';
import { oddAnswers, outages, says, startStubPdp } from '../../../test/support/stub-pdp.js';
import { PolicyDecisionPoint } from '../src/policy-decision-point.js';
import { PdpUnavailableError } from '../src/unavailable.js';

it('posts the text below its address, and gives the answer', async () => {
  const stub = await startStubPdp(says({ ok: 1 }));
  const pdp = new PolicyDecisionPoint('test', { url: `${stub.url}/base`, token: 'secret-token' });
  expect(await pdp.post('v1/x?y=1', '{"a":1}')).toEqual({ ok: true, json: { ok: 1 } });
  expect(stub.asked).toMatchObject([
    {
      method: 'POST',
      target: '/base/v1/x?y=1',
      headers: { 'content-type': 'application/json', authorization: 'Bearer secret-token' },
      body: { a: 1 },
    },
  ]);
});

it.each(oddAnswers({ decision: true }))('%s is an answer, but none to read a decision from', async (_title, answer) => {
  const stub = await startStubPdp(answer);
  const pdp = new PolicyDecisionPoint('test', { url: stub.url, failuresBeforeOpen: 1 });
  for (let turn = 0; turn < 3; turn++) {
    expect(await pdp.post('x', '{}')).toMatchObject({ ok: false, problem: expect.stringMatching(/^it(?:s)? ans/) });
  }
  // It was asked each time, and nobody else was: what errs opens no circuit, and nothing is followed.
  expect(stub.asked.map(({ target }) => target)).toEqual(['/x', '/x', '/x']);
});

it.each(outages)('%s is an outage, and opens the circuit', async (_title, answer) => {
  const stub = await startStubPdp(answer);
  const pdp = new PolicyDecisionPoint('test', { url: stub.url, timeoutSeconds: 0.2, failuresBeforeOpen: 2 });
  for (let turn = 0; turn < 4; turn++) await expect(pdp.post('x', '{}')).rejects.toBeInstanceOf(PdpUnavailableError);
  expect(stub.asked).toHaveLength(2);
});

it('nobody listening is an outage that says so', async () => {
  const stub = await startStubPdp(says({}));
  stub.stop();
  const pdp = new PolicyDecisionPoint('test', { url: stub.url });
  await expect(pdp.post('x', '{}')).rejects.toThrow('it cannot be reached: ECONNREFUSED');
});

it('is asked again once the circuit has been open for its time', async () => {
  let now = 0;
  const stub = await startStubPdp(says({}, 503));
  const pdp = new PolicyDecisionPoint('test', {
    url: stub.url,
    failuresBeforeOpen: 1,
    openSeconds: 30,
    clock: () => now,
  });
  await expect(pdp.post('x', '{}')).rejects.toThrow('503');
  stub.answer = says('back');
  now = 29_999;
  await expect(pdp.post('x', '{}')).rejects.toThrow('not asked for a while');
  now = 30_000;
  expect(await pdp.post('x', '{}')).toEqual({ ok: true, json: 'back' });
});

it('reads an answer of exactly the longest length', async () => {
  const stub = await startStubPdp((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(`"${'x'.repeat(1022)}"`);
  });
  const pdp = new PolicyDecisionPoint('test', { url: stub.url, maxAnswerBytes: 1024 });
  expect(await pdp.post('x', '{}')).toMatchObject({ ok: true });
  const shorter = new PolicyDecisionPoint('test', { url: stub.url, maxAnswerBytes: 1024 });
  stub.answer = (_request, response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(`"${'x'.repeat(1023)}"`);
  expect(await shorter.post('x', '{}')).toEqual({ ok: false, problem: 'its answer is too long', status: 200 });
});

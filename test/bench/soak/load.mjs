// A steady load over kept-alive connections. It signs each request with what counts at that moment.
import { setTimeout } from 'node:timers/promises';
import { openConnection } from '../host/connection.mjs';
import { mintToken, signedText } from '../host/signer.mjs';
import { AGENT } from '../host/world.mjs';

const CONNECTIONS = 16;
/** One request in so many has a token that the server has not seen. */
const COLD = 10;

/** `signers`: `warm()` and `behind(token)` give the signer of this moment. */
export function createLoad(port, signers) {
  const inFlight = new Set();
  const answers = new Map();
  let requests = 0;

  async function sendOne(connection) {
    requests += 1;
    const signer = requests % COLD === 0 ? signers.behind(await mintToken(AGENT)) : signers.warm();
    const answer = await connection.send(await signedText(signer));
    if (!answer.startsWith('HTTP/1.1 201 ')) count(answer);
  }

  function count(answer) {
    const reason = answer.replaceAll(/^(?!HTTP).*\r\n/gm, '').slice(0, 200);
    answers.set(reason, (answers.get(reason) ?? 0) + 1);
  }

  async function sendOn(connection, begin, interval, end) {
    for (let at = begin; at < end && performance.now() < end; at += interval) {
      const early = at - performance.now();
      if (early > 0) await setTimeout(early);
      const sending = sendOne(connection);
      inFlight.add(sending);
      await sending.finally(() => inFlight.delete(sending));
    }
    connection.close();
  }

  return {
    /** Ends at that moment of `performance.now()`. If the server is slow, the load falls behind and tries to catch up. */
    async run(perSecond, end) {
      const interval = (CONNECTIONS * 1000) / perSecond;
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(port)));
      const begin = performance.now();
      await Promise.all(
        connections.map((each, at) => sendOn(each, begin + (at * interval) / CONNECTIONS, interval, end)),
      );
    },
    /** Until every request that was begun before is answered. */
    drained: () => Promise.allSettled(inFlight),
    requests: () => requests,
    /** Answers that should have been 201, with their counts. */
    unexpected: () => [...answers],
  };
}

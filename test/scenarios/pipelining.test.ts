import { expect, it } from 'vitest';
import { onEverySetup } from '../support/api.js';
import type { Connection } from '../support/connection.js';
import { serialized } from '../support/signed-request.js';

/** The request in turn, and 100 that wait. */
const mostServed = 101;

/** How many answers come before the connection closes. Ends with the first that is too many. */
async function answersOn(connection: Connection): Promise<number> {
  for (let count = 0; count <= mostServed; count++) {
    try {
      await connection.read();
    } catch {
      return count;
    }
  }
  return mostServed + 1;
}

onEverySetup('Pipelining', (api) => {
  it('of very many requests by a stranger closes the connection, and few are recorded [I6]', async () => {
    const { records, running } = api;
    const handledBefore = running.handled.length;
    const connection = await api.connect();
    connection.write(`GET ${api.at('/invoices')} HTTP/1.1\r\nHost: ${api.authority}\r\n\r\n`.repeat(2000));
    expect(await answersOn(connection)).toBeLessThanOrEqual(mostServed);
    await api.accepts(api.signed({ target: '/invoices' }), 200);
    const refused = api.records.slice(records.length).filter(({ code }) => code === 'signature_required');
    expect(refused.length).toBeLessThanOrEqual(mostServed);
    expect(running.handled).toHaveLength(handledBefore + 1);
  });

  it('of 100 signed requests is answered in order', async () => {
    await api.recordedOutcomes(100, async () => {
      const connection = await api.connect();
      const months = Array.from({ length: 100 }, (_, index) => `2026-${index}`);
      const requests = months.map((month) => serialized(api.signed({ target: `/invoices?month=${month}` })));
      connection.write(Buffer.concat(requests));
      for (const month of months) {
        const { status, body } = await connection.read();
        expect({ status, body: JSON.parse(body) as unknown }).toEqual({ status: 200, body: { query: { month } } });
      }
      connection.destroy();
    });
  });
});

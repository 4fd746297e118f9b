import { expect, it } from 'vitest';
import { reportUndecided } from '../../src/adapter/unmapped.js';
import { guarded } from '../guarded.js';

it('names routes that answered without a decision, and spends no report on an abort or an error', async () => {
  const reports: string[] = [];
  const { guard } = await guarded({ onTrouble: (message) => void reports.push(message) });
  for (let id = 0; id < 30; id += 1) reportUndecided(guard, `GET /orders/${id}`, { result: 'aborted' });
  reportUndecided(guard, 'GET /missing', { result: 'finished', status: 404 });
  expect(reports).toEqual([]);

  for (let again = 0; again < 2; again += 1) {
    reportUndecided(guard, 'POST /graphql', { result: 'finished', status: 200 });
  }
  expect(reports).toEqual([expect.stringContaining('"POST /graphql" served an agent without a decision')]);
});

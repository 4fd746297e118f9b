import type { RecordFacts } from '../commands/audit/record-facts.js';
import { ChainPaths } from './chain-paths.js';
import { OpenRequests } from './open-requests.js';
import { TimeBins } from './time-bins.js';

/** The numbers of a log, in constant space. */
export class Summary {
  readonly bins: TimeBins = new TimeBins();
  readonly paths: ChainPaths = new ChainPaths();
  readonly open: OpenRequests = new OpenRequests();
  records = 0;
  allowed = 0;
  approved = 0;
  denied = 0;
  /** Refused before the caller was known. */
  refused = 0;
  /** Went on although it would have been refused. */
  observed = 0;
  /** Let in, but not finished: thrown, aborted, timed out. */
  unfinished = 0;
  /** Ended without a decision. */
  undecided = 0;
  /** Records that no seal covers. */
  unverified = 0;
  first: string | undefined;
  last: string | undefined;

  take(record: RecordFacts): void {
    const { phase, decision, result, undecided, approvedBy, time } = record;
    this.records += 1;
    if (record.unverified) this.unverified += 1;
    this.first ??= time;
    this.last = time;
    this.open.take(record);
    if (phase === 'outcome') {
      if (result !== 'finished') this.unfinished += 1;
      if (undecided) this.undecided += 1;
      return;
    }
    const allowed = phase === 'decision' && decision === 'allow';
    if (decision === 'would_refuse') this.observed += 1;
    else if (phase === 'authentication') this.refused += 1;
    else if (!allowed) this.denied += 1;
    else if (approvedBy === undefined) this.allowed += 1;
    else this.approved += 1;
    if (phase === 'decision') this.paths.add(record);
    const moment = Date.parse(time);
    if (!Number.isNaN(moment)) this.bins.add(moment, allowed);
  }
}

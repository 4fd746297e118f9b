export { type AgentTable, keyTaken, lostAgents, type SharedAgents, sharedAgents } from './agents.js';
export { BoundedCalls, SharedStoreUnavailable } from './bounded-calls.js';
export { changeInTime, tooLate } from './changes.js';
export { isBeforeEpoch, type Reservation, settlingTime } from './epoch.js';
export type { Freezable } from './frozen.js';
export { approvalUsesIn, replayStoreIn, type ReservationAnswer, type Reservations } from './one-time.js';
export { type OneTimeOptions, readOneTimeOptions } from './one-time-options.js';
export type {
  RevocationEntry,
  RevocationFeed,
  RevocationPlace,
  RevocationReading,
  RevocationWrite,
  WriteBackPage,
} from './revocation-feed.js';
export {
  checkRevocationOptions,
  openSharedRevocations,
  type SharedRevocations,
  type SharedRevocationsOptions,
} from './shared-revocations.js';

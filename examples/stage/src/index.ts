export { printAuditTable } from './audit-table.js';
export { quietly, type StageAuthority, startAuthority } from './authority.js';
export { type Loopback, listen, listenOnFreePort } from './loopback.js';
export { playStory } from './play.js';
export { type Expected, Telling, UnexpectedTurn } from './telling.js';
export type { Terminal } from './terminal.js';

export {
  type Checkpoint,
  formatCheckpoint,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
} from './checkpoint.js';
export { type CheckpointFile, readKeptCheckpoints, splitCheckpoints } from './checkpoint-file.js';
export { type FoundFence, readFence } from './fence.js';
export type { Finding, FindingKind } from './finding.js';
export {
  checkpointsFileName,
  listSegments,
  readFirstLine,
  readLines,
  segmentName,
  segmentsAmong,
} from './log-folder.js';
export {
  type Fence,
  type LineFrame,
  type LogLine,
  maxLineBytes,
  noPrev,
  readHeader,
  readLogLine,
  type SegmentHeader,
} from './log-line.js';
export { type LogReport, VerificationError } from './log-pass.js';
export { emptyRoot, Frontier, leafHash, nodeHash } from './merkle.js';
export {
  formatVerifierKey,
  type NoteProblem,
  type OpenedNote,
  openNote,
  parseVerifierKey,
  readVerifierKey,
  type VerifierKey,
  type VerifierKeyProblem,
} from './note.js';
export { hasKnownForm } from './own-record.js';
export { type CheckedProof, checkProof, formatProof, type InclusionProof } from './proof.js';
export { type ProvenRecord, proveRecord } from './prove-record.js';
export { type Place, type PlacedLine, readLog } from './read-log.js';
export { LeafHashes } from './tree-proofs.js';
export { type VerifyLogOptions, verifyLog } from './verify-log.js';
export { type Consistency, type Inclusion, verifyConsistency, verifyInclusion } from './verify-proofs.js';

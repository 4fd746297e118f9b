import { answerInTime } from '@countersign/common';
import type { AgentDirectory } from './directory.js';

/** The directory with a time limit on each answer. It rejects after that, which counts as an outage. */
export function boundedDirectory(directory: AgentDirectory, seconds: number): AgentDirectory {
  return {
    findByThumbprint: (thumbprint) => answerInTime(seconds, () => directory.findByThumbprint(thumbprint)),
    statusOf: (id) => answerInTime(seconds, () => directory.statusOf(id)),
    close: () => directory.close?.(),
  };
}

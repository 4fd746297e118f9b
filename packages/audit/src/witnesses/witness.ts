/** Keeps checkpoints of a log out of reach of everybody who can write the log. */
export interface CheckpointWitness {
  /** Its name in reports. */
  readonly name: string;
  /** Takes a C2SP signed note; resolves once it is kept. */
  receive(note: string): Promise<void>;
  /** The file that it appends to, if any: `auditFile` refuses one in its own folder, which would be lost with the log. */
  readonly file?: string;
}

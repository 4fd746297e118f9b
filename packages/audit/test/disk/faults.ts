import { type FileOperations, fileOperations } from '../../src/disk/append-file.js';

/** As the system fails. */
export function failWith(code: string): never {
  throw Object.assign(new Error(`${code}: made to fail`), { code });
}

/** A disk that is full for whatever holds this text, for as long as the test says so. */
export function fullFor(text: string, isFull: () => boolean = () => true): FileOperations {
  return {
    ...fileOperations,
    write(descriptor, bytes) {
      if (isFull() && Buffer.from(bytes).includes(text)) failWith('ENOSPC');
      return fileOperations.write(descriptor, bytes);
    },
  };
}

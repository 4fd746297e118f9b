import { checkOptionNames, reasonOf, integerOption } from '@countersign/common';
import { parseReceiverAddress, readReceiverAuthorization } from '../sinks/receiver-address.js';
import type { CheckpointWitness } from './witness.js';

export interface HttpWitnessOptions {
  /** Value of `Authorization`. Default: none is sent. */
  readonly authorization?: string;
  /** Timeout of a request, in seconds. Default 10. */
  readonly timeoutSeconds?: number;
  /** Allow an http address that is not loopback. Default false. */
  readonly dangerouslyAllowHttp?: boolean;
}

/**
 * Sends each checkpoint to an address: POST, `text/plain`, the signed note as body. An answer 2xx means that the
 * checkpoint is kept. Redirects are not followed.
 *
 * @throws ConfigError if the address is not https, or `authorization` cannot be sent.
 *
 * @example
 * auditFile('audit', { witnesses: [httpWitness('https://auditors.example/checkpoints')] });
 */
export function httpWitness(address: string, options: HttpWitnessOptions = {}): CheckpointWitness {
  checkOptionNames('httpWitness', options, ['authorization', 'timeoutSeconds', 'dangerouslyAllowHttp']);
  const { timeoutSeconds = 10, dangerouslyAllowHttp = false } = options;
  const authorization = readReceiverAuthorization('httpWitness', options.authorization);
  const url = parseReceiverAddress('httpWitness', address, dangerouslyAllowHttp);
  integerOption('httpWitness', 'timeoutSeconds', timeoutSeconds, 1, 300);
  return {
    name: url.host,
    async receive(note) {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'Content-Type': 'text/plain; charset=utf-8',
          ...(authorization === undefined ? {} : { Authorization: authorization }),
        },
        body: note,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutSeconds * 1000),
      }).catch((error: unknown) => {
        throw new Error(`it cannot be reached: ${reasonOf(error)}`, { cause: error });
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`it answered ${response.status}`);
    },
  };
}

import type { X509Bundles, X509Svid } from './workload-api.js';

/** An X.509-SVID that is replaced in time. */
export interface SvidSource {
  readonly current: () => X509Svid;
  readonly bundles: () => X509Bundles;
  /** Calls a listener when the X.509-SVID or a bundle was replaced; returns what ends that. */
  readonly onChange: (listener: () => void) => () => void;
}

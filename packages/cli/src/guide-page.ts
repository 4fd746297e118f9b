import { refusalPages } from '@countersign/common';

/** The URL of a guide on the site. */
export function guidePage(name: string): string {
  return new URL(`../guides/${name}`, refusalPages).href;
}

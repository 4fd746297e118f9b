import { refusalPages } from '../packages/common/dist/index.js';

/** Where the source is, as the manifests of the packages say. */
export const repository = 'https://github.com/countersign/countersign';

/** Where the site is: answers to agents name its pages. */
export const site = new URL('../', refusalPages);

/** The address of a page of the site. */
export const address = (place) => `/${place.replace(/(?<=^|\/)index\.md$|\.md$/, '')}`;

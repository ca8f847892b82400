/**
 * What a bucket of a sketch of response times means. As `workers/sketch.py`: boundaries are powers of `gamma`.
 *
 * A sketch comes as one flat list: bucket, count, bucket, count, …
 */

/** @typedef {{least_ms: number, gamma: number, last_bucket: number}} Mapping  as a snapshot brings it */

/** The upper boundary of a bucket in milliseconds. @param {Mapping} mapping */
export const upperMs = ({ least_ms, gamma }, bucket) => least_ms * gamma ** bucket;

/** What stands for a time in this bucket. @param {Mapping} mapping */
export function middleMs(mapping, bucket) {
  return bucket ? (upperMs(mapping, bucket) * 2) / (1 + mapping.gamma) : mapping.least_ms / 2;
}

/** Calls `tell(ms, count)` for each bucket that has requests. @param {number[]} flat */
export function eachBucket(mapping, flat, tell) {
  for (let place = 0; place + 1 < flat.length; place += 2) {
    if (flat[place + 1] > 0) tell(middleMs(mapping, flat[place]), flat[place + 1]);
  }
}

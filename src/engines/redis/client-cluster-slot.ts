/** Which of a Cluster's 16,384 slots a key lies in (Redis Cluster specification, "Key distribution model" and "Hash tags"). */

/** CRC-16/XMODEM of the hash tag, or of the whole key without one, modulo the number of slots. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  }
  return crc & 0x3fff;
}

package io.gpuos.jit;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * The file of one cache entry, little-endian, without padding:
 *
 * <pre>
 * magic     8 bytes   "GPUOSJIT"
 * version   u32       {@value #VERSION}
 * header    u32       bytes before the payload
 * key      32 bytes   what the entry is for; guards against renamed files
 * length    u64       bytes of the payload
 * digest   32 bytes   SHA-256 of the payload
 * payload
 * </pre>
 */
final class EntryFormat {

  static final int VERSION = 1;
  static final int HEADER_BYTES = 8 + 4 + 4 + CacheKey.BYTES + 8 + CacheKey.BYTES;

  private static final long MAGIC = 0x54494a534f555047L; // "GPUOSJIT" as little-endian bytes

  private EntryFormat() {}

  /** The whole file for a payload. */
  static ByteBuffer encode(CacheKey key, byte[] payload) {
    ByteBuffer file =
        ByteBuffer.allocate(HEADER_BYTES + payload.length).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(MAGIC).putInt(VERSION).putInt(HEADER_BYTES).put(key.bytes());
    file.putLong(payload.length).put(CacheKey.sha256().digest(payload)).put(payload);
    return file.flip();
  }

  /**
   * The payload of a file.
   *
   * @throws IOException the file is not an intact entry for this key; the message says in what way
   */
  static byte[] decode(CacheKey key, byte[] bytes) throws IOException {
    require(bytes.length >= HEADER_BYTES, "shorter than its header");
    ByteBuffer file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    require(file.getLong() == MAGIC, "wrong magic");
    require(file.getInt() == VERSION, "wrong version");
    require(file.getInt() == HEADER_BYTES, "wrong header size");
    require(Arrays.equals(take(file, CacheKey.BYTES), key.bytes()), "made for another key");
    require(file.getLong() == bytes.length - HEADER_BYTES, "wrong length");
    byte[] digest = take(file, CacheKey.BYTES);
    byte[] payload = take(file, file.remaining());
    require(
        MessageDigest.isEqual(CacheKey.sha256().digest(payload), digest), "wrong payload digest");
    return payload;
  }

  private static byte[] take(ByteBuffer file, int count) {
    byte[] bytes = new byte[count];
    file.get(bytes);
    return bytes;
  }

  private static void require(boolean holds, String defect) throws IOException {
    if (!holds) {
      throw new IOException("cache entry damaged: defect=" + defect + ", expected=an intact file");
    }
  }
}

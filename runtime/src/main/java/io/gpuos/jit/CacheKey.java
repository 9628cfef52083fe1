package io.gpuos.jit;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * Name of a cache entry: SHA-256 over everything that can change the machine code. Immutable.
 *
 * @param hex 64 lower-case hexadecimal digits
 */
public record CacheKey(String hex) {

  static final int BYTES = 32;

  public CacheKey {
    if (!hex.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException("cache key: hex=" + hex + ", expected=64 hex digits");
    }
  }

  /**
   * The key of some fields. Each field goes in with its length, so moving text from one to the next
   * makes another key.
   */
  public static CacheKey of(List<String> fields) {
    MessageDigest digest = sha256();
    for (String field : fields) {
      byte[] bytes = field.getBytes(StandardCharsets.UTF_8);
      digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
      digest.update(bytes);
    }
    return new CacheKey(HexFormat.of().formatHex(digest.digest()));
  }

  /** The 32 bytes the digits stand for. */
  byte[] bytes() {
    return HexFormat.of().parseHex(hex);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  @Override
  public String toString() {
    return hex;
  }
}

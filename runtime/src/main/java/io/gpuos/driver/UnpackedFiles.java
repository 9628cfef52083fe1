package io.gpuos.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;

/**
 * Files that were unpacked from a jar, compared with what the jar says of them.
 *
 * <p>Reading some hundred MB at each start would be slow, so the file {@code .verified} beside them
 * keeps what the file system said of each when its checksum was right: size, inode, and the times
 * of the last change of contents and of the file itself. Any write changes the last one. While all
 * are the same, the checksum is taken for right.
 */
final class UnpackedFiles {

  private static final String VERIFIED = ".verified";

  private final Path folder;
  private final List<? extends ZipEntry> entries;

  UnpackedFiles(Path folder, List<? extends ZipEntry> entries) {
    this.folder = folder;
    this.entries = entries;
  }

  /** Whether every file is there with its size and checksum. */
  boolean areIntact() {
    try {
      for (ZipEntry entry : entries) {
        if (Files.size(file(entry)) != entry.getSize()) {
          return false;
        }
      }
      String state = state();
      if (state.equals(remembered())) {
        return true;
      }
      for (ZipEntry entry : entries) {
        if (checksum(file(entry)) != entry.getCrc()) {
          return false;
        }
      }
      remember(state);
      return true;
    } catch (IOException _) {
      // Not there, or not to be read.
      return false;
    }
  }

  private Path file(ZipEntry entry) {
    return folder.resolve(RedistJar.fileName(entry));
  }

  private String state() throws IOException {
    StringBuilder state = new StringBuilder();
    for (ZipEntry entry : entries) {
      Map<String, Object> attributes =
          Files.readAttributes(
              file(entry), "unix:size,ino,lastModifiedTime,ctime", LinkOption.NOFOLLOW_LINKS);
      state.append(
          List.of("size", "ino", "lastModifiedTime", "ctime").stream()
              .map(name -> attributes.get(name).toString())
              .collect(Collectors.joining(" ", RedistJar.fileName(entry) + " ", "\n")));
    }
    return state.toString();
  }

  private String remembered() throws IOException {
    Path file = folder.resolve(VERIFIED);
    return Files.exists(file) ? Files.readString(file, StandardCharsets.UTF_8) : "";
  }

  /** In one step: others may read it. Without it the next start takes longer, and that is all. */
  private void remember(String state) {
    try {
      Path aside = Files.createTempFile(folder, VERIFIED, null);
      Files.writeString(aside, state, StandardCharsets.UTF_8);
      Files.move(aside, folder.resolve(VERIFIED), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException _) {
      // A full or read-only disk.
    }
  }

  private static long checksum(Path file) throws IOException {
    CRC32 crc = new CRC32();
    try (InputStream in = new CheckedInputStream(Files.newInputStream(file), crc)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return crc.getValue();
  }
}

import java.io.File;
import java.io.FileOutputStream;
import java.io.PrintStream;
import org.archive.extract.ResourceExtractor;

/** Runs Common Crawl's extractor over WARC files: ExtractWat OUT_DIR FILE... */
public class ExtractWat {
  public static void main(String[] args) throws Exception {
    for (int i = 1; i < args.length; i++) {
      String name = new File(args[i]).getName().replaceFirst("\\.gz$", "") + ".wat.gz";
      ResourceExtractor extractor = new ResourceExtractor();
      try (PrintStream out = new PrintStream(new FileOutputStream(new File(args[0], name)))) {
        extractor.setOut(out);
        extractor.run(new String[] {"-wat", args[i]});
      }
    }
  }
}

import ij.gui.Roi;
import ij.io.RoiDecoder;
import ij.process.ImageProcessor;
import java.awt.Rectangle;
import java.io.BufferedOutputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Fills each ROI of a zip as ImageJ does, and writes its pixels, a byte of 0 or 1 each. */
public class FillRois {
    public static void main(String[] arguments) throws Exception {
        int height = Integer.parseInt(arguments[2]), width = Integer.parseInt(arguments[3]);
        try (ZipInputStream zip = new ZipInputStream(new FileInputStream(arguments[0]));
                OutputStream out = new BufferedOutputStream(new FileOutputStream(arguments[1]))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                out.write(pixels(new RoiDecoder(zip.readAllBytes(), entry.getName()).getRoi(), height, width));
            }
        }
    }

    private static byte[] pixels(Roi roi, int height, int width) {
        byte[] pixels = new byte[height * width];
        ImageProcessor mask = roi.getMask(); // null where all of the box is inside
        Rectangle box = roi.getBounds();
        for (int y = Math.max(box.y, 0); y < Math.min(box.y + box.height, height); y++) {
            for (int x = Math.max(box.x, 0); x < Math.min(box.x + box.width, width); x++) {
                if (mask == null || mask.get(x - box.x, y - box.y) != 0) {
                    pixels[y * width + x] = 1;
                }
            }
        }
        return pixels;
    }
}

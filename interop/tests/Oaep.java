import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.spec.X509EncodedKeySpec;
import javax.crypto.Cipher;

/** Encrypts a file to a public key in DER, with each digest into a file of its name; usage: Oaep.java KEY FILE DIGEST... */
class Oaep {
    public static void main(String[] arguments) throws Exception {
        var key = KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(Files.readAllBytes(Path.of(arguments[0]))));
        for (int i = 2; i < arguments.length; i++) {
            var cipher = Cipher.getInstance("RSA/ECB/OAEPWith" + arguments[i] + "AndMGF1Padding");
            cipher.init(Cipher.ENCRYPT_MODE, key);
            Files.write(Path.of(arguments[i]), cipher.doFinal(Files.readAllBytes(Path.of(arguments[1]))));
        }
    }
}

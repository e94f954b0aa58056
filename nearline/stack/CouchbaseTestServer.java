import com.couchbase.mock.BucketConfiguration;
import com.couchbase.mock.CouchbaseMock;
import java.lang.reflect.Field;
import java.util.List;

/**
 * Couchbase's own test server on ports of our choice; its command line picks the key-value port at random.
 * Arguments: REST port, key-value port, bucket, password (the user is named as the bucket) and, unless clients are on this
 * machine, the name under which they reach it.
 */
public class CouchbaseTestServer {
    public static void main(String[] arguments) throws Exception {
        BucketConfiguration bucket = new BucketConfiguration();
        bucket.hostname = arguments.length > 4 ? arguments[4] : "127.0.0.1";
        bucket.numNodes = 1;
        bucket.numReplicas = 0;
        bucket.numVBuckets = 64;
        bucket.bucketStartPort = Integer.parseInt(arguments[1]);
        bucket.name = arguments[2];
        bucket.password = arguments[3];
        // what --cccp does: a client of today fetches its map of the cluster over the key-value port alone
        Field carriesConfiguration = CouchbaseMock.class.getDeclaredField("cccpBootstrap");
        carriesConfiguration.setAccessible(true);
        carriesConfiguration.setBoolean(null, true);
        new CouchbaseMock(Integer.parseInt(arguments[0]), List.of(bucket)).start();
    }
}

# The gateway image: one static binary with its own CA roots, and nothing else.
# tritondeploy builds it from the binary beside itself; the tag is a hash of this file and the binary.
FROM scratch
COPY tritondeploy-gateway /tritondeploy-gateway
USER 1000:1000
EXPOSE 8080 8082
ENTRYPOINT ["/tritondeploy-gateway"]

"""A Docker host elsewhere: one system `ssh` per host, kept up, and what is reached through it.

What an engine wires for `host: ssh://deploy@shop-1` (`context:NAME` first goes through `targets.contexts.resolve`):

    line = Line("ssh://deploy@shop-1", installation, paths.socket.with_suffix(".ssh"), clock, changed)
    line.start()                                     # returns at once; it connects and reconnects by itself
    await line.settled(5.0)                          # optional: until it is up or stopped, at most so long
    DockerTarget(line.docker_url, installation, subnet=…, clock=clock, line=line)
    DockerBuilder(line.docker_url, installation, clock)
    CaddyEdge(FarFiles(line), subnet)                # here: CaddyEdge(paths.edge, subnet)
    Prober(edge.probe_socket, clock, line)           # `public` asks from the host itself then
    EdgeSpec(line.known_edge(), …)                   # on the host; raises LineDown until it was up once
    line.state                                       # also given to `changed` whenever it changes
    await line.close()                               # after the target, the edge and the prober

Local sockets and their paths are known from the beginning; while the line is down nobody listens on them. All
environments of one host share one line: it is named by `host` as the configuration has it.
"""

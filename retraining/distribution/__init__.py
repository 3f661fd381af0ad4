"""Feature vectors of more images than one machine can read: the steps of `features` on Apache Beam."""

"""Standing in for a host name that is compiled into a program: certificates and a forward proxy."""

# find_package(culvert) gives culvert::proto, culvert::engine and, where the program was built, culvert::netlink and
# culvert::host; pkg-config knows them as culvert-proto, culvert-engine, culvert-netlink and culvert-host.
install(TARGETS ${culvert_libraries} EXPORT culvert
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(rooms_without_headers PATTERN "uring.h" EXCLUDE PATTERN "netlink_request.h" EXCLUDE)
if(NOT TARGET culvert_host)
  list(APPEND rooms_without_headers PATTERN "netlink" EXCLUDE PATTERN "host" EXCLUDE)
endif()
foreach(folder proto io engine)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/culvert
    FILES_MATCHING PATTERN "*.h" ${rooms_without_headers})
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/culvert)
install(EXPORT culvert NAMESPACE culvert:: DESTINATION ${package} FILE culvert-targets.cmake)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/culvert-config.cmake.in
  ${PROJECT_BINARY_DIR}/culvert-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/culvert-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/culvert-config.cmake ${PROJECT_BINARY_DIR}/culvert-config-version.cmake
  DESTINATION ${package})

# culvert_pkgconfig(NAME DESCRIPTION REQUIRES LIBS PRIVATE-LIBS)
function(culvert_pkgconfig name description requires libs private_libs)
  # The prefix follows the file, so that an installed tree may be moved.
  file(RELATIVE_PATH to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/culvert.pc.in ${PROJECT_BINARY_DIR}/culvert-${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/culvert-${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
culvert_pkgconfig(proto "wire formats of 6in4, GRE, IP, ICMP and neighbor discovery" "" -lculvert_proto "")
culvert_pkgconfig(engine "6in4 and GRE forwarding engine on TUN devices" culvert-proto
  "-lculvert_engine -lculvert_io" "-luring -lpthread")
if(TARGET culvert_host)
  culvert_pkgconfig(netlink "devices, addresses and routes of this host" culvert-engine -lculvert_netlink
    "-lnl-route-3 -lnl-3")
  culvert_pkgconfig(host "keeps a culvert engine in step with this host's network" "culvert-engine culvert-netlink"
    -lculvert_host "")
endif()
